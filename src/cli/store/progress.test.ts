import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { amount, duration, table } from "./amounts.ts";
import { openProgress } from "./progress.ts";

describe("progress", () => {
  const GiB = 1024 ** 3;

  function drawing(isTTY: boolean, json = false): { lines: string[]; step: (seconds: number, done: number) => void } {
    const lines: string[] = [];
    let now = 0;
    const terminal = { isTTY, columns: 200, write: (text: string) => lines.push(text) };
    const progress = openProgress("storing", { json }, "bytes", terminal, () => now);
    const step = (seconds: number, done: number): void => {
      now += seconds * 1000;
      progress.show(done, 10 * GiB, "1.0 GiB stored");
    };
    return { lines, step };
  }

  it("says how far it is, how fast, and how long it will take", () => {
    const { lines, step } = drawing(true);
    step(0, 0);
    step(1, GiB);
    assert.equal(lines.at(-1), "\r\x1b[Kstoring 10% of 10.0 GiB, 1.0 GiB/s, 9 s left, 1.0 GiB stored");
  });

  it("goes by the last seconds, so a stall shows", () => {
    const { lines, step } = drawing(true);
    step(0, 0);
    for (let second = 1; second <= 4; second += 1) step(1, second * GiB);
    for (let second = 1; second <= 12; second += 1) step(1, 4 * GiB);
    assert.match(lines.at(-1) ?? "", /40% of 10\.0 GiB, 0 bytes\/s, 1\.0 GiB stored$/);
  });

  it("draws nothing where nobody looks", () => {
    for (const { lines, step } of [drawing(false), drawing(true, true)]) {
      step(1, GiB);
      assert.deepEqual(lines, []);
    }
  });

  it("does not draw more often than the eye can see", () => {
    const { lines, step } = drawing(true);
    for (let index = 0; index < 1000; index += 1) step(0.001, index * 1000);
    assert.ok(lines.length <= 6, String(lines.length));
  });
});

describe("amounts", () => {
  it("are written as people read them", () => {
    assert.deepEqual([0, 1023, 1024, 150 * 1024, 3.4 * 1024 ** 3].map(amount), [
      "0 bytes",
      "1023 bytes",
      "1.0 KiB",
      "150 KiB",
      "3.4 GiB",
    ]);
    assert.deepEqual([0.4, 59.4, 200, 7500].map(duration), ["0 s", "59 s", "3 min 20 s", "2 h 5 min"]);
    assert.equal(table(["a", "long head"], [["wide cell", "b"]]), "a          long head\nwide cell  b");
  });
});
