import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { BlobTable, ownPackState, packStates } from "./blob-table.ts";

const id = (number: number): Buffer => createHash("sha256").update(String(number)).digest();

function filled(count: number): BlobTable {
  const table = BlobTable.create(count);
  table.setPackState(1, packStates.usable);
  for (let number = 0; number < count; number += 1) table.put(id(number), 1, number, number + 16, number & 0xffff);
  return table;
}

test("every blob that was put is found where it was put, before and after growing", () => {
  const count = 20_000;
  for (const table of [filled(count), filled(count).grownTo(3 * count)]) {
    assert.equal(table.count, count);
    for (let number = 0; number < count; number += 1) {
      const location = table.location(table.find(id(number)));
      assert.deepEqual(location, { pack: 1, offset: number, storedLength: number + 16, shape: number & 0xffff });
    }
    assert.equal(table.find(id(count)), -1);
  }
});

test("a table takes about 60 bytes a blob", () => {
  const bytes = BlobTable.create(100_000).shared.slots.byteLength;
  assert.ok(bytes / 100_000 < 63, `${bytes / 100_000} bytes`);
});

test("a better copy takes the place of a worse one, never the other way round", () => {
  const table = BlobTable.create(10);
  const states = [packStates.absent, packStates.readOnly, packStates.condemned, ownPackState(1), packStates.usable];
  for (const [better, state] of states.entries()) table.setPackState(better, state);
  for (let worse = 0; worse < states.length; worse += 1) {
    assert.equal(table.put(id(1), worse, worse, 16, 1), true, `state ${states[worse]}`);
    for (let other = 0; other <= worse; other += 1) assert.equal(table.put(id(1), other, 99, 16, 1), false);
    assert.equal(table.location(table.find(id(1))).pack, worse);
  }
  assert.equal(table.count, 1);
});

test("what a session builds is usable for that session only; doomed packs for nobody new", () => {
  const table = BlobTable.create(10);
  table.setPackState(1, ownPackState(7));
  table.put(id(1), 1, 0, 16, 1);
  assert.deepEqual([table.isUsable(id(1), 7), table.isUsable(id(1), 8)], [true, false]);
  table.setPackState(1, packStates.usable);
  assert.equal(table.isUsable(id(1), 8), true);
  table.setPackState(1, packStates.readOnly);
  assert.equal(table.isUsable(id(1), 8), false);
});

test("a full table says so", () => {
  const table = BlobTable.create(10);
  table.setPackState(1, packStates.usable);
  assert.throws(
    () => {
      for (let number = 0; number < 1000; number += 1) table.put(id(number), 1, 0, 16, 1);
    },
    { code: "IndexFull" },
  );
  table.put(id(0), 1, 0, 16, 1); // the lock was given back
});
