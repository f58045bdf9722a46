import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as fc from "fast-check";
import { openDatabase, type Database } from "../db/database.ts";
import { describeEachDialect } from "../db/testing/each-dialect.ts";
import { systemClock } from "../lib/clock.ts";
import { isErrorCode } from "../lib/errors.ts";
import { appendEvent } from "./append.ts";
import { newestPosition, readEvents } from "./read.ts";

const isLong = process.env["HOLDFAST_TEST_LONG"] === "1";
const event = (subject: string, data: unknown = null) => ({
  type: "thing.changed",
  subject,
  data,
  correlationId: "c",
  actor: "test",
});

describeEachDialect("the event stream", ({ newPlace }) => {
  let database: Database;
  let other: Database;
  before(async () => {
    const place = await newPlace();
    database = await openDatabase({ ...place, clock: systemClock });
    // A second process on PostgreSQL; SQLite's data folder has one.
    other = place.url === undefined ? database : await openDatabase({ ...place, clock: systemClock });
  });
  after(async () => {
    await other.close();
    await database.close();
  });

  const readAll = async (after: number) => {
    const subjects: string[] = [];
    for (let position = after; ;) {
      const page = await readEvents(database, position, 50);
      if (page.position === position) return subjects;
      subjects.push(...page.events.map(({ subject }) => subject));
      position = page.position;
    }
  };

  test("an event comes and goes with its transaction, as it was written", async () => {
    const start = await newestPosition(database);
    await assert.rejects(
      database.transaction(async (trx) => {
        appendEvent(trx, event("lost"));
        throw new Error("no");
      }),
    );
    const id = await database.transaction(async (trx) =>
      appendEvent(trx, { ...event("kept", { a: [1, "ü", null] }), subjects: ["vault-1"] }),
    );
    const { events } = await readEvents(database, start, 10);
    assert.equal(events.length, 1);
    const { position, occurredAt, ...rest } = events[0]!;
    assert.ok(position > start && Math.abs(occurredAt - Date.now()) < 60_000);
    assert.deepEqual(rest, { ...event("kept", { a: [1, "ü", null] }), subjects: ["vault-1"], id });
  });

  test("events of one transaction keep their order, also many", async () => {
    const start = await newestPosition(database);
    const names = Array.from({ length: 2_500 }, (_, index) => `many ${index}`);
    await database.transaction(async (trx) => {
      for (const name of names) appendEvent(trx, event(name));
    });
    assert.deepEqual(await readAll(start), names);
  });

  test("data beyond the bound is refused with the whole transaction", async () => {
    const start = await newestPosition(database);
    await assert.rejects(
      database.transaction(async (trx) => appendEvent(trx, event("large", "x".repeat(300_000)))),
      (error) => isErrorCode(error, "EventTooLarge"),
    );
    assert.equal(await newestPosition(database), start);
  });

  test("a reader that follows many concurrent writers misses nothing and sees each writer's order", async () => {
    const writers = 12;
    const rounds = isLong ? 100 : 12;
    const start = await newestPosition(database);
    const seen: string[] = [];
    let writing = true;
    const reading = (async () => {
      let position = start;
      for (;;) {
        const last = !writing;
        const page = await readEvents(other, position, 7);
        seen.push(...page.events.map(({ subject }) => subject));
        if (last && page.position === position) return;
        position = page.position;
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const expected: string[] = [];
    await Promise.all(
      Array.from({ length: writers }, async (_, writer) => {
        for (let round = 0; round < rounds; round += 1) {
          const fails = (writer + round) % 5 === 0;
          const name = `${writer}/${round}`;
          if (!fails) expected.push(`${name}/first`, `${name}/second`);
          const through = writer % 2 === 0 ? database : other;
          await through
            .transaction(async (trx) => {
              appendEvent(trx, event(`${name}/first`));
              // Differing times between the first statement and the commit.
              for (let step = 0; step < (writer * round) % 4; step += 1) {
                await trx.selectFrom("event_retention").selectAll().execute();
              }
              appendEvent(trx, event(`${name}/second`));
              if (fails) throw new Error("rolled back");
            })
            .catch((error: Error) => assert.equal(error.message, "rolled back"));
        }
      }),
    );
    writing = false;
    await reading;
    assert.deepEqual([...seen].sort(), expected.sort());
    assert.deepEqual(seen, await readAll(start));
    for (let writer = 0; writer < writers; writer += 1) {
      const rounds_ = seen.filter((name) => name.startsWith(`${writer}/`)).map((name) => Number(name.split("/")[1]));
      assert.deepEqual(
        rounds_,
        [...rounds_].sort((a, b) => a - b),
      );
    }
  });

  test("a later transaction's events come later, whatever commits, fails and interleaves", async () => {
    const transactions = fc.array(fc.record({ events: fc.nat(3), fails: fc.boolean(), pauses: fc.nat(3) }), {
      minLength: 1,
      maxLength: 8,
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(transactions, async (planned) => {
        run += 1;
        const start = await newestPosition(database);
        const outcome = await Promise.all(
          planned.map(async ({ events, fails, pauses }, index) => {
            const names = Array.from({ length: events }, (_, number) => `${run}/${index}/${number}`);
            try {
              await database.transaction(async (trx) => {
                for (const name of names) {
                  appendEvent(trx, event(name));
                  for (let step = 0; step < pauses; step += 1) await new Promise((resolve) => setImmediate(resolve));
                }
                if (fails) throw new Error("rolled back");
              });
            } catch {
              return [];
            }
            // What is committed when the promise resolves is before everything that starts now.
            const follower = `${run}/${index}/follower`;
            await database.transaction(async (trx) => appendEvent(trx, event(follower)));
            return [...names, follower];
          }),
        );
        const read = await readAll(start);
        assert.deepEqual([...read].sort(), outcome.flat().sort());
        for (const names of outcome)
          assert.deepEqual(
            read.filter((name) => names.includes(name)),
            names,
          );
      }),
      { numRuns: isLong ? 300 : 12 },
    );
  });
});
