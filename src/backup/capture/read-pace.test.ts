import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seededRandom } from "../../lib/random.ts";
import { fullPace, nextPace, type ReadPace } from "./read-pace.ts";

const base = 1_000_000;
const random = seededRandom(7);

/** So many writes, most of them near the mean, some a dozen times as long. */
function writes(operations: number, mean: number) {
  let nanoseconds = 0;
  for (let count = 0; count < operations; count += 1) {
    nanoseconds += mean * (random() < 0.05 ? 8 * random() : 0.8 + 0.4 * random());
  }
  return { operations, nanoseconds };
}

/** `harm`: how many times as long a write takes at a share. */
function after(turns: number, harm: (share: number) => number, from: ReadPace = fullPace): ReadPace[] {
  const paces = [from];
  for (let turn = 0; turn < turns; turn += 1) {
    const pace = paces.at(-1) ?? from;
    paces.push(nextPace(pace, { reading: writes(400, base * harm(pace.share)), resting: writes(30, base) }));
  }
  return paces.slice(1);
}

const mean = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

test("a guest that is not hurt is read at nearly full speed, though its writes vary much", () => {
  assert.ok(mean(after(400, () => 1.05).map(({ share }) => share)) > 0.95);
});

test("reading slows down until the guest's writes take about as long as without it", () => {
  const ratio = (share: number): number => 1 + 2 * share;
  const settled = after(200, ratio).slice(20);
  const ratios = settled.map(({ share }) => ratio(share));
  assert.ok(mean(ratios) < 1.45, String(mean(ratios)));
});

test("it never stands still, and comes back to full speed when it hurts nobody any more", () => {
  const hurt = after(40, () => 10);
  assert.equal(hurt.at(-1)?.share, 0.2);
  assert.equal(after(30, () => 1, hurt.at(-1)).at(-1)?.share, 1);
});

test("what makes all writes slow, reading or not, slows the backup for a moment at most", () => {
  let pace: ReadPace = { share: 1, reading: base, resting: base };
  for (let turn = 0; turn < 40; turn += 1) {
    pace = nextPace(pace, { reading: writes(400, 50 * base), resting: writes(30, 50 * base) });
  }
  assert.ok(pace.share > 0.9, String(pace.share));
});

test("a guest that hardly writes says nothing: the pace rises to full speed", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 9 }), fc.double({ min: 0.1, max: 1, noNaN: true }), (operations, share) => {
      const seen = { operations, nanoseconds: operations * 1e12 };
      let pace: ReadPace = { share, reading: base, resting: base };
      for (let turn = 0; turn < 20; turn += 1) pace = nextPace(pace, { reading: seen, resting: seen });
      assert.deepEqual(pace, { share: 1, reading: base, resting: base });
    }),
  );
});
