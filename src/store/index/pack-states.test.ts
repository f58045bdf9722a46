import assert from "node:assert/strict";
import { test } from "node:test";
import { packStates } from "./blob-table.ts";
import { PackStates } from "./pack-states.ts";

const nothing = { present: [], superseded: [], suspect: [], condemned: [] };

test("a reading says of every pack what it saw, and nothing of those that are being built", () => {
  const states = new PackStates();
  states.begin(5);
  const seen = { count: 7, present: [0, 1, 2, 3, 6], superseded: [6], suspect: [1, 2, 4], condemned: [2, 3, 4] };
  const told: [number, number][] = [];
  states.replace(states.after(seen), (number, state) => void told.push([number, state]));
  assert.deepEqual(told, [
    [0, packStates.usable],
    [1, packStates.readOnly],
    [2, packStates.readOnly], // doomed counts more than condemned
    [3, packStates.condemned],
    [4, packStates.absent],
    [6, packStates.absent],
  ]);
  assert.deepEqual([...states.present()], [0, 1, 2, 3]);
  states.set(5, packStates.usable);
  assert.deepEqual([...states.present()], [0, 1, 2, 3, 5]);
  states.replace(states.after({ ...nothing, count: 7 }), () => {});
  assert.deepEqual([...states.present()], []);
});

test("what is not known is not there; a table that was emptied has no pack's entries", () => {
  const states = new PackStates();
  assert.deepEqual([states.isPresent(9), states.hasEntries(9)], [false, false]);
  for (let number = 0; number < 1000; number += 1) states.setEntries(number, true);
  assert.deepEqual([states.hasEntries(0), states.hasEntries(999), states.hasEntries(1000)], [true, true, false]);
  states.begin(0);
  assert.equal(states.hasEntries(0), false);
  states.forgetEntries();
  assert.equal(states.hasEntries(999), false);
});
