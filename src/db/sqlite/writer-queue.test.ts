import assert from "node:assert/strict";
import { test } from "node:test";
import { isErrorCode } from "../../lib/errors.ts";
import { writerQueue } from "./writer-queue.ts";

test("writers enter one at a time, in the order in which they came", async () => {
  const queue = writerQueue(10_000);
  const order: number[] = [];
  const leaveFirst = await queue.enter();
  const others = [1, 2, 3].map(async (number) => {
    const leave = await queue.enter();
    order.push(number);
    leave();
  });
  assert.deepEqual(order, []);
  leaveFirst();
  leaveFirst();
  await Promise.all(others);
  assert.deepEqual(order, [1, 2, 3]);
  await queue.idle();
});

test("a writer that waits too long is told so, and its place in the queue is gone", async () => {
  const queue = writerQueue(5);
  const leave = await queue.enter();
  await assert.rejects(queue.enter(), (error) => isErrorCode(error, "DatabaseBusy"));
  leave();
  await queue.idle();
  (await queue.enter())();
});
