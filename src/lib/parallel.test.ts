import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { eachInParallel, mapInParallel } from "./parallel.ts";

test("results come in the order of the items, however long each takes, and few are at work", async () => {
  let running = 0;
  let most = 0;
  const results = await mapInParallel([3, 0, 2, 1, 0], 2, async (turns, index) => {
    most = Math.max(most, (running += 1));
    for (let turn = 0; turn < turns; turn += 1) await setImmediate();
    running -= 1;
    return `${index}:${turns}`;
  });
  assert.deepEqual(results, ["0:3", "1:0", "2:2", "3:1", "4:0"]);
  assert.equal(most, 2);
});

test("the first failure is told when those at work have ended, and nothing new is begun", async () => {
  const begun: number[] = [];
  const work = async (item: number): Promise<void> => {
    begun.push(item);
    await setImmediate();
    if (item === 1) throw new Error("one");
  };
  await assert.rejects(eachInParallel([0, 1, 2, 3, 4, 5], 2, work), /one/);
  assert.ok(begun.length < 6);
});

test("nothing is at work any more when the items come to a bad end", async () => {
  let ended = 0;
  async function* items(): AsyncGenerator<number> {
    yield 1;
    yield 2;
    throw new Error("no more");
  }
  const work = async (): Promise<void> => {
    for (let turn = 0; turn < 3; turn += 1) await setImmediate();
    ended += 1;
  };
  await assert.rejects(eachInParallel(items(), 4, work), /no more/);
  assert.equal(ended, 2);
});
