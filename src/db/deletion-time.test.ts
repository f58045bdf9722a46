import assert from "node:assert/strict";
import { test } from "node:test";
import { manualClock } from "../lib/clock.ts";
import { clockWatch, deletionTime } from "./deletion-time.ts";
import { openDatabase } from "./database.ts";
import { describeEachDialect } from "./testing/each-dialect.ts";

const hour = 3_600_000;
const start = 1_700_000_000_000;

describeEachDialect("the time that deletions go by", ({ newPlace }) => {
  const rig = async () => {
    const clock = manualClock(start);
    const database = await openDatabase({ ...(await newPlace()), clock });
    let running = 0;
    const told: unknown[] = [];
    const watch = (): (() => Promise<void>) =>
      clockWatch(
        database,
        (error) => told.push(error),
        () => running,
      );
    const now = (): Promise<number> => deletionTime(database.kysely, clock);
    const run = async (hours: number, look: () => Promise<void>): Promise<void> => {
      for (let each = 0; each < hours; each += 1) {
        clock.advance(hour);
        running += hour;
        await look();
      }
    };
    return { clock, told, watch, now, run, [Symbol.asyncDispose]: () => database.close() };
  };

  test("is the clock's as long as it goes on as clocks do, over a night and a restart", async () => {
    await using it = await rig();
    assert.equal(await it.now(), start);
    await it.run(30, it.watch());
    it.clock.advance(16 * hour);
    assert.equal(await it.now(), start + 46 * hour);
    await it.run(2, it.watch());
    assert.equal(await it.now(), start + 48 * hour);
    assert.deepEqual(it.told, []);
  });

  test("does not leap with it, and follows after a day of service", async () => {
    await using it = await rig();
    const look = it.watch();
    await look();
    it.clock.advance(40 * 24 * hour);
    assert.equal(await it.now(), start);
    await it.run(10, look);
    assert.equal(it.told.length, 1);
    assert.match(String(it.told[0]), /960|961/);
    assert.ok((await it.now()) <= start + 10 * hour);
    // Another process goes on where this one was.
    const other = it.watch();
    await other();
    assert.equal(it.told.length, 2);
    await it.run(12, other);
    assert.ok((await it.now()) <= start + 24 * hour);
    await it.run(6, other);
    assert.equal(await it.now(), it.clock.now());
  });

  test("returns with a clock that is set right, and nothing was deleted by the wrong one", async () => {
    await using it = await rig();
    const look = it.watch();
    await look();
    it.clock.advance(400 * 24 * hour);
    await it.run(5, look);
    it.clock.set(start + 6 * hour);
    assert.equal(await it.now(), start + 6 * hour);
    await look();
    assert.equal(await it.now(), start + 6 * hour);
    it.clock.set(start - 24 * 365 * hour);
    await look();
    it.clock.set(start + 7 * hour);
    assert.ok((await it.now()) < start, "forward again is a leap, too");
  });
});
