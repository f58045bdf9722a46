import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { decodeIndex, encodeIndex, type IndexedPackEntries } from "./index-object.ts";
import { leafRegions, leafUnits, regionUnits } from "./layout.ts";
import { decodeLeaf, decodeNode, encodeLeaf, encodeNode, type Extent } from "./map.ts";
import { isPointName, itemSegment, pointName } from "./object-names.ts";
import { decodeEntries, isCompressed, kindOf, makeShape, plainLength, type PackEntry } from "./pack.ts";
import { parseRecoveryKey, printRecoveryKey } from "../keys/recovery.ts";

const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
const fewIds = fc.array(id, { minLength: 1, maxLength: 5 });

test("numbers of every size survive", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.nat(0xffffff), fc.nat(0xffffffff), (large, medium, word) => {
      const writer = new ByteWriter(1);
      writer.varint(large);
      writer.u24(medium);
      writer.u32(word);
      const reader = new ByteReader(writer.finish(), "test");
      assert.deepEqual([reader.varint(), reader.u24(), reader.u32()], [large, medium, word]);
      reader.end();
    }),
  );
});

/** Extents with gaps between them, never adjacent in a way that encoding would join. */
const leaf = fewIds.chain((ids) =>
  fc
    .record({
      steps: fc.array(
        fc.record({
          gap: fc.nat(300),
          length: fc.integer({ min: 1, max: regionUnits }),
          offset: fc.nat(regionUnits - 1),
          which: fc.nat(ids.length - 1),
        }),
        { maxLength: 60 },
      ),
      hashed: fc.uniqueArray(fc.nat(leafRegions - 1), { maxLength: 10 }),
    })
    .map(({ steps, hashed }) => {
      const extents: Extent[] = [];
      let end = 0;
      for (const { gap, length, offset, which } of steps) {
        const start = end + gap + (extents.length > 0 ? 1 : 0);
        const fitting = Math.min(length, regionUnits - offset);
        if (start + fitting > leafUnits) break;
        extents.push({ start, length: fitting, offset, id: ids[which]! });
        end = start + fitting;
      }
      const regionHashes = new Map(hashed.sort((a, b) => a - b).map((region) => [region, ids[0]!]));
      return { extents, regionHashes };
    }),
);

test("every leaf decodes to what was encoded", () => {
  fc.assert(fc.property(leaf, (value) => assert.deepEqual(decodeLeaf(encodeLeaf(value), "leaf"), value)));
});

test("a leaf of a full backup costs 37 bytes a megabyte", () => {
  const extents = Array.from({ length: leafRegions }, (_, region) => ({
    start: region * regionUnits,
    length: regionUnits,
    id: Buffer.alloc(32, region),
    offset: 0,
  }));
  const bytes = encodeLeaf({ extents, regionHashes: new Map() }).length;
  assert.ok(bytes / leafRegions < 37.2, `${bytes / leafRegions} bytes`);
});

test("every inner node decodes to what was encoded", () => {
  const node = fc.uniqueArray(fc.nat(255)).chain((slots) =>
    fc.record({
      level: fc.integer({ min: 1, max: 5 }),
      children: fc
        .tuple(...slots.map(() => id))
        .map((ids) => new Map(slots.sort((a, b) => a - b).map((slot, at) => [slot, ids[at]!]))),
    }),
  );
  fc.assert(
    fc.property(node, (value) => assert.deepEqual(decodeNode(encodeNode(value), value.level, "node"), { ...value })),
  );
});

test("shapes keep their three parts", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(0, 1, 2),
      fc.integer({ min: 1, max: 1 << 20 }),
      fc.boolean(),
      (kind, length, compressed) => {
        const shape = makeShape(kind as 0 | 1 | 2, length, compressed);
        assert.deepEqual([kindOf(shape), plainLength(shape), isCompressed(shape)], [kind, length, compressed]);
        assert.ok(shape < 1 << 24);
      },
    ),
  );
});

test("every index object decodes to the packs that it was made of", () => {
  const entry = fc.tuple(id, fc.integer({ min: 16, max: 5000 }), fc.integer({ min: 1, max: 1 << 20 }));
  const pack = fc
    .tuple(id, id, fc.nat(9), fc.array(entry, { maxLength: 20 }))
    .map(([name, salt, epoch, parts]): IndexedPackEntries => {
      let offset = 54;
      const entries = parts.map(([blob, storedLength, length]): PackEntry => {
        const made = { id: blob, offset, storedLength, shape: makeShape(0, length, true) };
        offset += storedLength;
        return made;
      });
      return { hash: name.toString("hex"), size: offset + 100, epoch, salt: new Uint8Array(salt), entries };
    });
  fc.assert(
    fc.property(fc.array(id), fc.array(pack, { maxLength: 5 }), (replaced, packs) => {
      const names = replaced.map((name) => name.toString("hex"));
      const foundNames: string[] = [];
      const found: IndexedPackEntries[] = [];
      decodeIndex(encodeIndex(names, packs), "index", {
        replaces: (hash) => foundNames.push(hash),
        pack: (header, stored) => found.push({ ...header, entries: decodeEntries(stored) }),
      });
      assert.deepEqual(foundNames, names);
      assert.deepEqual(found, packs);
    }),
  );
});

test("any item name becomes one plain segment, different for different names", () => {
  const item = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
    .filter((text) => Buffer.byteLength(text) <= 64 && text.isWellFormed());
  fc.assert(
    fc.property(item, item, (one, other) => {
      assert.match(itemSegment(one), /^[a-z0-9_-]{1,192}$/);
      assert.equal(itemSegment(one) === itemSegment(other), one === other);
      assert.ok(isPointName(pointName(one, 1_700_000_000_000, "0123456789abcdef")));
    }),
  );
  for (const bad of ["", "x".repeat(65), "\ud800"]) assert.throws(() => itemSegment(bad), { code: "ItemNameInvalid" });
});

test("a printed recovery key is read back, and one wrong letter is found", () => {
  fc.assert(
    fc.property(id, fc.nat(64), fc.nat(30), (key, position, change) => {
      const printed = printRecoveryKey(key);
      assert.match(printed, /^([A-Z2-7]{5}-){12}[A-Z2-7]{5}$|^([A-Z2-9]{5}-){12}[A-Z2-9]{5}$/);
      assert.ok(parseRecoveryKey(printed).equals(key));
      const letters = [...printed.replaceAll("-", "")];
      const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
      const old = alphabet.indexOf(letters[position]!);
      letters[position] = alphabet[(old + 1 + change) % 32]!;
      assert.throws(() => parseRecoveryKey(letters.join("")), { code: "KeyDamaged" });
    }),
  );
});
