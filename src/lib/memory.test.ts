import assert from "node:assert/strict";
import { test } from "node:test";
import { giveBack } from "./memory.ts";

test("memory that is given back is gone at once, and may be given back again", () => {
  const bytes = new Uint8Array(1 << 20);
  giveBack(bytes);
  assert.equal(bytes.length, 0);
  giveBack(bytes);
});

test("memory that others see too stays as it is", () => {
  const whole = new Uint8Array(16).fill(7);
  const shared = new Uint8Array(new SharedArrayBuffer(16)).fill(7);
  giveBack(whole.subarray(4));
  giveBack(shared);
  assert.deepEqual([whole[15], shared[15]], [7, 7]);
});
