import assert from "node:assert/strict";
import { test } from "node:test";
import { seededPolicies } from "../policy/seeds.ts";
import { dueItems, type ScheduledItem } from "./due-items.ts";

const policy = seededPolicies["DefaultPolicy"]!; // daily at 05:30 UTC
const at = (text: string): number => Date.parse(text);
const item = (lastRunAt: number): ScheduledItem => ({ key: "i", vaultKey: "v", policyKey: "p", lastRunAt });
const due = (items: readonly ScheduledItem[], now: number, changedAt = 0) =>
  dueItems(items, () => ({ policy, changedAt }), now);

test("an item is due once for each run, and for missed runs once", () => {
  const run = at("2027-03-02T05:30:00Z");
  assert.deepEqual(due([item(at("2027-03-01T05:30:00Z"))], run - 1).due, []);
  assert.deepEqual(due([item(at("2027-03-01T05:30:00Z"))], run).due, [{ key: "i", dueAt: run }]);
  assert.deepEqual(due([item(run)], run + 3_600_000).due, []);
  assert.deepEqual(due([item(at("2027-02-01T05:30:00Z"))], run + 1).due, [{ key: "i", dueAt: run }]);
});

test("a policy that was changed after a run was due fires for nothing that is past", () => {
  const now = at("2027-03-02T06:00:00Z");
  assert.deepEqual(due([item(at("2027-03-01T05:30:00Z"))], now, at("2027-03-02T05:45:00Z")).due, []);
});

test("after the clock was set back the item is named, not run", () => {
  const now = at("2027-03-02T06:00:00Z");
  assert.deepEqual(due([item(now + 1)], now), { due: [], fromTheFuture: ["i"] });
});

test("an item whose policy is gone waits", () => {
  assert.deepEqual(dueItems([item(0)], () => undefined, at("2027-03-02T06:00:00Z")).due, []);
});
