import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { PackRegistry } from "./pack-registry.ts";

const hash = (number: number): string => createHash("sha256").update(`pack ${number}`).digest("hex");
const salt = (number: number): Buffer => Buffer.alloc(32, number & 255);

test("each name keeps its number and what was said of it, however many come after it", () => {
  const packs = new PackRegistry();
  const count = 5000;
  for (let number = 0; number < count; number += 1) {
    assert.equal(packs.note(hash(number), number), number);
    packs.describe(number, number + 1, salt(number));
  }
  for (let number = 0; number < count; number += 1) {
    assert.equal(packs.numberOf(hash(number)), number);
    const record = packs.record(number);
    assert.deepEqual([record?.hash, record?.size, record?.epoch], [hash(number), number, number + 1]);
    assert.ok(salt(number).equals(record?.salt ?? Buffer.alloc(0)));
    const name = Buffer.concat([Buffer.of(1), Buffer.from(hash(number), "hex")]);
    assert.equal(packs.numberAt(new DataView(name.buffer, name.byteOffset, name.length), 1), number);
  }
  assert.equal(packs.numberOf(hash(count)), undefined);
});

test("a pack that nobody described has no record; one that is listed again keeps its number", () => {
  const packs = new PackRegistry();
  const number = packs.note(hash(1), 10);
  assert.equal(packs.record(number), undefined);
  assert.equal(packs.note(hash(1), 20), number);
  assert.deepEqual([packs.sizeOf(number), packs.hashOf(number)], [20, hash(1)]);
});

test("a name that is given to another number is found there", () => {
  const packs = new PackRegistry();
  const building = packs.begin();
  const noted = packs.note(hash(1), 10);
  packs.name(building, hash(1), 10);
  assert.deepEqual([noted, packs.numberOf(hash(1))], [1, building]);
  for (let number = 2; number < 1000; number += 1) packs.note(hash(number), 1);
  assert.equal(packs.numberOf(hash(1)), building);
});
