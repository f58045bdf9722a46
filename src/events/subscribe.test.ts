import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openDatabase, type Database } from "../db/database.ts";
import { describeEachDialect } from "../db/testing/each-dialect.ts";
import { manualClock, systemClock } from "../lib/clock.ts";
import { isErrorCode } from "../lib/errors.ts";
import { appendEvent } from "./append.ts";
import type { StoredEvent } from "./event.ts";
import { newestPosition, readEvents } from "./read.ts";
import { purgeEvents } from "./retention.ts";
import { dropSubscriber, registerSubscriber, runSubscriber, type Subscriber } from "./subscribe.ts";
import { tailEvents } from "./tail.ts";

const event = (subject: string, type = "thing.changed") => ({
  type,
  subject,
  data: null,
  correlationId: "c",
  actor: "t",
});

/** Resolves when `count` things have been put in; in the order in which they came. */
function collector<T>(count: number) {
  const things: T[] = [];
  const { promise, resolve } = Promise.withResolvers<T[]>();
  return {
    all: promise,
    things,
    add: (thing: T) => {
      things.push(thing);
      if (things.length >= count) resolve(things);
    },
  };
}

describeEachDialect("a subscriber", ({ dialect, newPlace }) => {
  let database: Database;
  let other: Database;
  before(async () => {
    const place = await newPlace();
    database = await openDatabase({ ...place, clock: systemClock });
    other = place.url === undefined ? database : await openDatabase({ ...place, clock: systemClock });
  });
  after(async () => {
    await other.close();
    await database.close();
  });

  const append = (...subjects: string[]) =>
    database.transaction(async (trx) => {
      for (const subject of subjects) appendEvent(trx, event(subject));
    });

  const start = (subscriber: Pick<Subscriber, "name" | "handle"> & Partial<Subscriber>, through = database) => {
    const stop = new AbortController();
    const done = runSubscriber(
      through,
      { holder: "node", from: "now", report: (error) => assert.fail(String(error)), ...subscriber },
      stop.signal,
    );
    return {
      stop: async () => {
        stop.abort();
        await done;
      },
    };
  };

  const register = (name: string, from: "now" | "beginning" = "now") => registerSubscriber(database, { name, from });

  test("gets every event in order, goes on where it was, and never again what it is done with", async () => {
    await register("resume");
    const names = Array.from({ length: 500 }, (_, index) => `r${index}`);
    await append(...names.slice(0, 300));
    for (const expected of [names.slice(0, 300), names.slice(300)]) {
      const got = collector<string>(expected.length);
      const running = start({
        name: "resume",
        handle: { deliver: async (events) => events.forEach(({ subject }) => got.add(subject)) },
      });
      assert.deepEqual(await got.all, expected);
      await running.stop();
      await append(...names.slice(300).splice(0, expected.length === 300 ? 200 : 0));
    }
  });

  test("applies in the transaction that moves its cursor: the effect is there once, also after failures", async () => {
    await register("apply");
    let failures = 0;
    const got = collector<string>(6);
    const reported: (string | undefined)[] = [];
    const running = start({
      name: "apply",
      handle: {
        apply: async (trx, events) => {
          for (const { subject } of events) {
            await trx
              .insertInto("leases")
              .values({ name: `effect ${subject}`, holder: "h", fence: 1, acquired_at: 0, expires_at: 0 })
              .execute();
            if (subject === "a3" && failures < 2) {
              failures += 1;
              throw new Error("not yet");
            }
          }
          for (const { subject } of events) got.add(subject);
        },
      },
      report: (_error, failed) => reported.push(failed?.subject),
    });
    await append("a0", "a1", "a2", "a3", "a4", "a5");
    assert.deepEqual([...new Set(await got.all)], ["a0", "a1", "a2", "a3", "a4", "a5"]);
    await running.stop();
    const effects = await database.kysely
      .selectFrom("leases")
      .select("name")
      .where("name", "like", "effect %")
      .execute();
    assert.equal(effects.length, 6);
    assert.equal(failures, 2);
    assert.ok(reported.includes("a3"), "the event that fails is named, once those before it have passed");
  });

  test("one that fails on an event holds that event back, and nothing behind it overtakes", async () => {
    await register("poison");
    const seen: string[] = [];
    const failed = collector<string>(3);
    const running = start({
      name: "poison",
      handle: {
        deliver: async (events) => {
          if (events.some(({ subject }) => subject === "p1")) throw new Error("poison");
          seen.push(...events.map(({ subject }) => subject));
        },
      },
      report: (_error, event_) => failed.add(event_?.subject ?? ""),
    });
    await append("p0", "p1", "p2");
    await failed.all;
    await running.stop();
    assert.deepEqual(seen, ["p0"]);
  });

  test("is told of an event at once, also by another process", async () => {
    await register("quick");
    const latencies: number[] = [];
    let arrived = Promise.withResolvers<void>();
    const ready = Promise.withResolvers<void>();
    const running = start(
      {
        name: "quick",
        handle: {
          deliver: async (events) => {
            if (events.some(({ subject }) => subject === "warm-up")) ready.resolve();
            else arrived.resolve();
          },
        },
      },
      other,
    );
    await append("warm-up");
    await ready.promise;
    for (let index = 0; index < 15; index += 1) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      arrived = Promise.withResolvers();
      await append(`quick ${index}`);
      const committed = performance.now();
      await arrived.promise;
      latencies.push(performance.now() - committed);
    }
    await running.stop();
    latencies.sort((a, b) => a - b);
    // The polling fallback alone would need nearly a second for each.
    assert.ok((latencies[7] ?? Infinity) < 700, `median ${latencies[7]} ms`);
  });

  test("runs in one place at a time, and another goes on when that one ends", async () => {
    await register("single");
    const first = collector<string>(1);
    const second = collector<string>(1);
    const sink = (into: { add(subject: string): void }) => ({
      deliver: async (events: readonly StoredEvent[]) => events.forEach(({ subject }) => into.add(subject)),
    });
    const one = start({ name: "single", handle: sink(first) });
    await append("s0");
    await first.all;
    const two = start({ name: "single", handle: sink(second) }, other);
    await append("s1");
    while (first.things.length < 2) await new Promise((resolve) => setTimeout(resolve, 2));
    await one.stop();
    await append("s2");
    await second.all;
    await two.stop();
    assert.deepEqual([first.things, second.things], [["s0", "s1"], ["s2"]]);
  });

  test("that chooses types is handed those only", async () => {
    await register("chooser");
    const got = collector<string>(2);
    const running = start({
      name: "chooser",
      types: ["rare"],
      handle: { deliver: async (events) => events.forEach(({ subject }) => got.add(subject)) },
    });
    await database.transaction(async (trx) => {
      for (let index = 0; index < 450; index += 1) {
        appendEvent(trx, event(`c${index}`, index === 210 || index === 440 ? "rare" : "common"));
      }
    });
    assert.deepEqual(await got.all, ["c210", "c440"]);
    await running.stop();
  });

  test("retention waits for the slowest subscriber, and a tail from before says that events are gone", async () => {
    await append("old 0", "old 1", "old 2", "old 3");
    const future = Date.now() + 1_000_000;
    const stayed = await readEvents(database, (await newestPosition(database)) - 10, 100);
    const { position } = stayed.events.find(({ subject }) => subject === "old 1")!;
    await database.kysely.deleteFrom("event_subscribers").execute();
    await database.kysely.insertInto("event_subscribers").values({ name: "slow", position, updated_at: 0 }).execute();
    assert.ok((await purgeEvents(database, future)) > 0);
    const left = await readEvents(database, 0, 100);
    assert.deepEqual(
      left.events.map(({ subject }) => subject),
      ["old 2", "old 3"],
    );
    await assert.rejects(tailEvents(database, { after: 0 }, new AbortController().signal).next(), (error) =>
      isErrorCode(error, "EventsGone"),
    );
    const tail = tailEvents(database, { after: position }, new AbortController().signal);
    assert.equal((await tail.next()).value?.events.length, 2);
    await dropSubscriber(database, "slow");
    await purgeEvents(database, future);
    const newest = await newestPosition(database);
    assert.deepEqual(
      (await readEvents(database, 0, 100)).events.map(({ subject }) => subject),
      ["old 3"],
    );
    await append("new");
    const [next] = (await readEvents(database, newest, 100)).events;
    assert.equal(next?.subject, "new");
    await tail.return();
  });

  test("a tail sees what happens after it began and ends with its signal", async () => {
    await append("before");
    const stop = new AbortController();
    const tail = tailEvents(other, { after: "now" }, stop.signal);
    const first = tail.next();
    // The tail has begun when it waits: its position was read in an earlier turn of the loop.
    await newestPosition(other);
    await new Promise((resolve) => setTimeout(resolve, dialect === "postgres" ? 50 : 5));
    await append("after");
    const page = (await first).value;
    assert.deepEqual(
      page?.events.map(({ subject }) => subject),
      ["after"],
    );
    const end = tail.next();
    stop.abort();
    assert.equal((await end).done, true);
  });

  test("goes on when the service's clock leaps a day ahead and its lease is over", async () => {
    const clock = manualClock(1_000_000);
    await using leaping = await openDatabase({ ...(await newPlace()), clock });
    const got = collector<string>(2);
    const stop = new AbortController();
    const subscriber: Subscriber = {
      name: "leap",
      holder: "node",
      from: "beginning",
      handle: { apply: async (_trx, events) => events.forEach(({ subject }) => got.add(subject)) },
      report: (error) => assert.fail(String(error)),
    };
    const running = runSubscriber(leaping, subscriber, stop.signal);
    const appendOne = (subject: string) => leaping.transaction(async (trx) => appendEvent(trx, event(subject)));
    await appendOne("today");
    while (got.things.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    clock.advance(86_400_000);
    await appendOne("tomorrow");
    assert.deepEqual([...new Set(await got.all)], ["today", "tomorrow"]);
    stop.abort();
    await running;
  });
});
