import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { manualClock } from "../lib/clock.ts";
import { openDatabase, type Database } from "./database.ts";
import { deliverOutbox, type DeliveryTerms, type OutboxMessage } from "./outbox-delivery.ts";
import { listDeadMessages, postMessage, purgeMessages, reviveMessage } from "./outbox.ts";
import { describeEachDialect } from "./testing/each-dialect.ts";

describeEachDialect("the outbox", ({ newPlace }) => {
  const clock = manualClock(1_000_000);
  let database: Database;
  before(async () => {
    database = await openDatabase({ ...(await newPlace()), clock });
  });
  after(() => database.close());

  const post = (topic: string, key: string, body: unknown = {}) =>
    database.transaction((trx) => postMessage(trx, { topic, key, body }));

  const stateOf = async (topic: string, key: string) => {
    const row = await database.kysely
      .selectFrom("outbox")
      .select("state")
      .where("topic", "=", topic)
      .where("dedup_key", "=", key)
      .executeTakeFirst();
    return row?.state;
  };

  /** Delivers until `enough` says so. */
  async function deliverUntil(
    topic: string,
    deliver: DeliveryTerms["deliver"],
    enough: () => Promise<boolean> | boolean,
    terms: Partial<DeliveryTerms> = {},
  ): Promise<void> {
    const stop = new AbortController();
    const running = deliverOutbox(
      database,
      {
        topic,
        deliver,
        concurrency: 3,
        maxAttempts: 3,
        firstDelayMilliseconds: 100,
        maxDelayMilliseconds: 1_000,
        attemptMilliseconds: 10_000,
        report: (error) => assert.fail(String(error)),
        ...terms,
      },
      stop.signal,
    );
    while (!(await enough())) await new Promise((resolve) => setTimeout(resolve, 3));
    stop.abort();
    await running;
  }

  test("hands a message over after the commit of its cause, and never one whose cause was rolled back", async () => {
    const seen: OutboxMessage[] = [];
    await assert.rejects(
      database.transaction(async (trx) => {
        await postMessage(trx, { topic: "commit", key: "lost", body: {} });
        throw new Error("no");
      }),
    );
    await post("commit", "kept", { hello: "world" });
    await deliverUntil(
      "commit",
      async (message) => void seen.push(message),
      () => stateIs("commit", "kept", "delivered"),
    );
    assert.deepEqual(
      seen.map(({ key, body, attempt }) => ({ key, body, attempt })),
      [{ key: "kept", body: { hello: "world" }, attempt: 1 }],
    );
  });

  test("takes a key once, also after delivery", async () => {
    assert.equal(await post("once", "k"), true);
    assert.equal(await post("once", "k"), false);
    let times = 0;
    await deliverUntil(
      "once",
      async () => void (times += 1),
      () => stateIs("once", "k", "delivered"),
    );
    assert.equal(await post("once", "k"), false);
    assert.equal(times, 1);
  });

  test("tries again later and later, then lists the message as dead, and revives it on demand", async () => {
    await post("failing", "k");
    const at: number[] = [];
    await deliverUntil(
      "failing",
      async () => {
        at.push(clock.now());
        throw new Error("receiver says 503");
      },
      async () => {
        const { due_at } = await database.kysely
          .selectFrom("outbox")
          .select("due_at")
          .where("topic", "=", "failing")
          .executeTakeFirstOrThrow();
        if (due_at > clock.now() && due_at < clock.now() + 5_000) {
          clock.set(due_at);
          database.notices.ring("outbox/failing");
        }
        return stateIs("failing", "k", "dead");
      },
    );
    assert.equal(at.length, 3);
    const [first = 0, second = 0, third = 0] = at;
    assert.ok(second - first >= 50 && second - first <= 100, `first delay ${second - first}`);
    assert.ok(third - second >= 100 && third - second <= 200, `second delay ${third - second}`);
    const [dead] = await listDeadMessages(database, "failing", 10);
    assert.equal(dead?.attempts, 3);
    assert.match(dead?.lastError ?? "", /receiver says 503/);
    assert.equal(await database.transaction((trx) => reviveMessage(trx, dead?.id ?? "")), true);
    await deliverUntil(
      "failing",
      async () => {},
      () => stateIs("failing", "k", "delivered"),
    );
    assert.deepEqual(await listDeadMessages(database, "failing", 10), []);
  });

  test("an attempt that was never heard of again is followed by another one", async () => {
    await post("crash", "k");
    // What a killed process leaves: claimed, never settled.
    await database.kysely
      .updateTable("outbox")
      .set({ attempts: 1, due_at: clock.now() + 20_000 })
      .where("topic", "=", "crash")
      .execute();
    clock.advance(20_000);
    const attempts: number[] = [];
    await deliverUntil(
      "crash",
      async ({ attempt }) => void attempts.push(attempt),
      () => stateIs("crash", "k", "delivered"),
    );
    assert.deepEqual(attempts, [2]);
  });

  test("two deliverers at once hand each message over once, and no more at a time than they may", async () => {
    for (let index = 0; index < 40; index += 1) await post("busy", `k${index}`);
    const seen: string[] = [];
    let together = 0;
    let most = 0;
    const deliver = async ({ key }: OutboxMessage): Promise<void> => {
      together += 1;
      most = Math.max(most, together);
      await new Promise((resolve) => setTimeout(resolve, 1));
      seen.push(key);
      together -= 1;
    };
    const all = () => seen.length >= 40;
    await Promise.all([deliverUntil("busy", deliver, all), deliverUntil("busy", deliver, all)]);
    assert.deepEqual([...seen].sort(), Array.from({ length: 40 }, (_, index) => `k${index}`).sort());
    assert.ok(most <= 6, `${most} at a time`);
  });

  test("stopping in the middle of an attempt does not count against the message", async () => {
    await post("stop", "k");
    let started = false;
    await deliverUntil(
      "stop",
      (_message, signal) =>
        new Promise((_resolve, reject) => {
          started = true;
          signal.addEventListener("abort", () => reject(new Error("stopped")));
        }),
      () => started,
      { maxAttempts: 1 },
    );
    assert.equal(await stateOf("stop", "k"), "waiting");
    await deliverUntil(
      "stop",
      async () => {},
      () => stateIs("stop", "k", "delivered"),
      { maxAttempts: 1 },
    );
  });

  test("what is claimed in the moment of stopping is given back, not handed over", async () => {
    await post("late", "k");
    const stop = new AbortController();
    // The claim's own transaction is what the signal cuts into.
    const stopping: Database = {
      ...database,
      transaction: async (work) => {
        const result = await database.transaction(work);
        stop.abort();
        return result;
      },
    };
    await deliverOutbox(
      stopping,
      {
        topic: "late",
        deliver: () => assert.fail("handed over after the stop"),
        concurrency: 1,
        maxAttempts: 1,
        firstDelayMilliseconds: 1,
        maxDelayMilliseconds: 1,
        attemptMilliseconds: 10_000,
        report: (error) => assert.fail(String(error)),
      },
      stop.signal,
    );
    assert.equal(await stateOf("late", "k"), "waiting");
    await deliverUntil(
      "late",
      async () => {},
      () => stateIs("late", "k", "delivered"),
      { maxAttempts: 1 },
    );
  });

  test("what ended long ago is forgotten, what still waits is not", async () => {
    await post("purge", "waits");
    await post("purge", "done");
    await deliverUntil(
      "purge",
      async ({ key }) => {
        if (key === "waits") throw new Error("later");
      },
      () => stateIs("purge", "done", "delivered"),
    );
    await purgeMessages(database, clock.now() + 1);
    assert.equal(await stateOf("purge", "done"), undefined);
    assert.equal(await stateOf("purge", "waits"), "waiting");
  });

  async function stateIs(topic: string, key: string, state: string): Promise<boolean> {
    return (await stateOf(topic, key)) === state;
  }
});
