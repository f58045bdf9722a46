import assert from "node:assert/strict";
import { test } from "node:test";
import { array, assert as assertProperty, asyncProperty, constantFrom, integer, nat, record } from "fast-check";
import { randomBytes } from "../lib/random.ts";
import { copyOnWrite } from "./copy-on-write.ts";
import type { NbdExport } from "./export.ts";
import { scratchFolder } from "./testing/tools.ts";

const size = 5 * 65536 + 512;
const never = new AbortController().signal;

function baseOf(content: Buffer): NbdExport {
  return {
    name: "base",
    size: content.length,
    readOnly: true,
    read: async (into, offset) => void into.set(content.subarray(offset, offset + into.length)),
  };
}

test("whatever is written, all of it is read back and the base stays as it was", async () => {
  using scratch = scratchFolder();
  let number = 0;
  const change = record({
    offset: nat(size - 1),
    length: integer({ min: 1, max: 3 * 65536 }),
    kind: constantFrom("write", "zero", "trim"),
    byte: integer({ min: 1, max: 255 }),
  });
  await assertProperty(
    asyncProperty(array(change, { maxLength: 12 }), async (changes) => {
      const content = randomBytes(size);
      const untouched = Buffer.from(content);
      const expected = Buffer.from(content);
      const scratchPath = scratch.path(`scratch-${(number += 1)}`);
      await using disk = await copyOnWrite(baseOf(content), { name: "x", scratchPath, limitBytes: 2 * size });
      for (const { offset, length, kind, byte } of changes) {
        const end = Math.min(offset + length, size);
        if (kind === "write") await disk.write?.(Buffer.alloc(end - offset, byte), offset, never);
        else await disk.writeZeroes?.(offset, end - offset, never);
        expected.fill(kind === "write" ? byte : 0, offset, end);
      }
      const back = Buffer.alloc(size);
      await disk.read(back, 0, never);
      assert.ok(back.equals(expected));
      assert.ok(content.equals(untouched));
    }),
    { numRuns: 40 },
  );
});

test("many changes of one unit at once do not lose each other", async () => {
  using scratch = scratchFolder();
  await using disk = await copyOnWrite(baseOf(Buffer.alloc(size, 1)), {
    name: "x",
    scratchPath: scratch.path("scratch"),
    limitBytes: size,
  });
  await Promise.all(
    Array.from({ length: 64 }, (_, index) => disk.write?.(Buffer.alloc(512, index), index * 1024, never)),
  );
  const back = Buffer.alloc(65536);
  await disk.read(back, 0, never);
  for (let index = 0; index < 64; index += 1) {
    assert.ok(back.subarray(index * 1024, index * 1024 + 512).every((byte) => byte === index));
    assert.ok(back.subarray(index * 1024 + 512, (index + 1) * 1024).every((byte) => byte === 1));
  }
});

test("a full scratch file refuses the write with ENOSPC and keeps what is there", async () => {
  using scratch = scratchFolder();
  await using disk = await copyOnWrite(baseOf(Buffer.alloc(size, 1)), {
    name: "x",
    scratchPath: scratch.path("scratch"),
    limitBytes: 65536,
  });
  await disk.write?.(Buffer.alloc(512, 2), 0, never);
  await assert.rejects(async () => disk.write?.(Buffer.alloc(512, 2), 65536, never), { code: "ENOSPC" });
  const back = Buffer.alloc(2 * 65536);
  await disk.read(back, 0, never);
  assert.equal(back[0], 2);
  assert.equal(back[65536], 1);
  assert.equal(disk.changedBytes, 65536);
});
