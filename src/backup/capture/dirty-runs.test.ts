import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { BlockExtent } from "../../nbd/extents.ts";
import { collectDirtyRuns } from "./dirty-runs.ts";

async function* each(extents: readonly BlockExtent[]): AsyncGenerator<BlockExtent> {
  yield* extents;
}

const parts = fc.array(fc.record({ length: fc.integer({ min: 1, max: 50 }), isDirty: fc.boolean() }), {
  minLength: 1,
  maxLength: 200,
});

test("runs are in order, apart, few enough, and cover every changed byte and all that has grown", async () => {
  await fc.assert(
    fc.asyncProperty(parts, fc.integer({ min: 1, max: 20 }), fc.nat(10_000), async (given, runs, grown) => {
      let offset = 0;
      const extents = given.map(({ length, isDirty }) => {
        const extent = { offset, length, flags: isDirty ? 1 : 0 };
        offset += length;
        return extent;
      });
      const size = offset;
      const grownFrom = Math.min(grown, size);
      const found = await collectDirtyRuns(each(extents), grownFrom, size, { runs, gapBytes: 2 });
      assert.ok(found.length <= runs);
      const covered = new Uint8Array(size);
      let end = -1;
      for (const run of found) {
        assert.ok(run.offset > end && run.length > 0 && run.offset + run.length <= size);
        end = run.offset + run.length;
        covered.fill(1, run.offset, end);
      }
      for (const { offset: at, length, flags } of extents) {
        if (flags === 1) assert.ok(covered.subarray(at, at + length).every((byte) => byte === 1));
      }
      assert.ok(covered.subarray(grownFrom).every((byte) => byte === 1));
    }),
  );
});

test("with room enough, nothing but what changed is in the runs", async () => {
  const extents = [
    { offset: 0, length: 10, flags: 0 },
    { offset: 10, length: 5, flags: 1 },
    { offset: 15, length: 1, flags: 0 },
    { offset: 16, length: 4, flags: 1 },
  ];
  assert.deepEqual(await collectDirtyRuns(each(extents), 18, 20), [
    { offset: 10, length: 5 },
    { offset: 16, length: 4 },
  ]);
});
