import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { armName, freeArmName, vmIdOf } from "./names.ts";

const armPattern = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/;

test("whatever a host calls a machine, its name here is one of Azure's", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (name) => {
      assert.match(armName(name), armPattern);
    }),
  );
});

test("a name that is one of Azure's stays as it is", () => {
  fc.assert(
    fc.property(fc.stringMatching(armPattern), (name) => {
      assert.equal(armName(name), name);
    }),
  );
});

test("any number of machines of one name get names of their own, each the same whenever it is asked for", () => {
  const taken = new Set<string>();
  for (let number = 0; number < 2_000; number += 1) {
    const identity = { hostId: "h", machineId: `m${number}` };
    const isTaken = (name: string): boolean => taken.has(name);
    const name = freeArmName("a".repeat(64), identity, isTaken);
    assert.match(name, armPattern);
    assert.equal(freeArmName("a".repeat(64), identity, isTaken), name);
    taken.add(name);
  }
  assert.equal(taken.size, 2_000);
});

test("a machine's GUID is its UUID, unless it has none or another one has it", () => {
  const uuid = "6a1f0f3e-57a5-4a33-9d0b-0d8c2b1e9f01";
  const free = (): boolean => false;
  assert.equal(vmIdOf({ hostId: "h", machineId: uuid }, free), uuid);
  const clone = vmIdOf({ hostId: "other", machineId: uuid }, () => true);
  const image = vmIdOf({ hostId: "h", machineId: "inode:7" }, free);
  for (const made of [clone, image])
    assert.match(made, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(clone, image);
  assert.equal(vmIdOf({ hostId: "h", machineId: "inode:7" }, free), image);
});
