import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import { openReadGate } from "./read-gate.ts";

/** Reads that end when they are told to. */
function reads() {
  const gate = openReadGate();
  const begun: (() => void)[] = [];
  const read = (signal?: AbortSignal): Promise<void> =>
    gate.run(() => new Promise((resolve) => void begun.push(resolve)), signal);
  return { gate, begun, read };
}

test("at full speed reads go side by side", async () => {
  const { begun, read } = reads();
  const all = [read(), read(), read()];
  await turnOfTheLoop();
  assert.equal(begun.length, 3);
  for (const end of begun) end();
  await Promise.all(all);
});

test("at less they go one after the other, with pauses as long as the share wants", async () => {
  const { gate, begun, read } = reads();
  gate.setShare(0.5);
  const all = [read(), read()];
  await turnOfTheLoop();
  assert.equal(begun.length, 1);
  const from = performance.now();
  setTimeout(() => begun[0]?.(), 40);
  await all[0];
  while (begun.length < 2) await turnOfTheLoop();
  assert.ok(performance.now() - from >= 75, "the pause is as long as the read was");
  begun[1]?.();
  await all[1];
});

test("a rest begins when the last read is over, and holds the others until it ends", async () => {
  const { gate, begun, read } = reads();
  const first = read();
  await turnOfTheLoop();
  let isQuiet = false;
  const resting = gate.rest().then(() => (isQuiet = true));
  const second = read();
  await turnOfTheLoop();
  assert.deepEqual([isQuiet, begun.length], [false, 1]);
  begun[0]?.();
  await Promise.all([first, resting]);
  assert.equal(begun.length, 1);
  gate.goOn();
  await turnOfTheLoop();
  assert.equal(begun.length, 2);
  begun[1]?.();
  await second;
});

test("who gives up waiting leaves, and a read that fails lets the next one in", async () => {
  const { gate, begun, read } = reads();
  await gate.rest();
  const giveUp = new AbortController();
  const gone = assert.rejects(read(giveUp.signal), /enough/);
  giveUp.abort(new Error("enough"));
  await gone;
  gate.setShare(0.5);
  gate.goOn();
  await assert.rejects(
    gate.run(() => Promise.reject(new Error("broken"))),
    /broken/,
  );
  const last = read();
  while (begun.length === 0) await turnOfTheLoop();
  begun[0]?.();
  await last;
});
