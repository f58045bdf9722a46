import assert from "node:assert/strict";
import { test } from "node:test";
import { manualClock } from "../../lib/clock.ts";
import { slowDown } from "./slow-down.ts";

test("waits grow with each failure and end; a pause forgets", () => {
  const clock = manualClock(0);
  const slow = slowDown(clock);
  const attempt = { name: "app", address: "a" };
  for (let count = 0; count < 5; count += 1) slow.failed(attempt);
  assert.equal(slow.waitFor(attempt), 0);
  const waits: number[] = [];
  for (let count = 0; count < 12; count += 1) {
    slow.failed(attempt);
    waits.push(slow.waitFor(attempt));
    clock.advance(slow.waitFor(attempt));
    assert.equal(slow.waitFor(attempt), 0);
  }
  assert.deepEqual(waits.slice(0, 4), [1000, 2000, 4000, 8000]);
  assert.equal(Math.max(...waits), 300_000);
  clock.advance(15 * 60_000 + 1);
  slow.failed(attempt);
  assert.equal(slow.waitFor(attempt), 0);
});

test("success forgets what this client at this address got wrong", () => {
  const slow = slowDown(manualClock(0));
  const attempt = { name: "app", address: "a" };
  for (let count = 0; count < 8; count += 1) slow.failed(attempt);
  assert.ok(slow.waitFor(attempt) > 0);
  slow.succeeded(attempt);
  assert.equal(slow.waitFor(attempt), 0);
});

test("a thousand machines that guess at one client make it wait seconds, not for ever", () => {
  const slow = slowDown(manualClock(0));
  for (let count = 0; count < 1000; count += 1) slow.failed({ name: "app", address: `10.0.0.${count}` });
  assert.equal(slow.waitFor({ name: "APP", address: "192.0.2.1" }), 4000);
});

test("one machine that tries a thousand names waits for each of them", () => {
  const slow = slowDown(manualClock(0));
  for (let count = 0; count < 1000; count += 1) slow.failed({ name: `app ${count}`, address: "a" });
  assert.equal(slow.waitFor({ name: "new", address: "a" }), 60_000);
  assert.equal(slow.waitFor({ name: "new", address: "b" }), 0);
});

test("memory is bounded whatever is tried", () => {
  const slow = slowDown(manualClock(0), 100);
  const first = { name: "first", address: "first" };
  for (let count = 0; count < 50; count += 1) slow.failed(first);
  for (let count = 0; count < 1000; count += 1) slow.failed({ name: `${count}`.repeat(500), address: `${count}` });
  assert.equal(slow.waitFor(first), 0);
});
