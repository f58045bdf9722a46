import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../db/database.ts";
import { postgresPrograms, startPostgres } from "../db/testing/postgres.ts";
import { systemClock } from "../lib/clock.ts";
import { appendEvent } from "./append.ts";
import { registerSubscriber, runSubscriber, type Subscriber } from "./subscribe.ts";

const skip = postgresPrograms() === undefined ? "PostgreSQL is not installed" : false;

test("a subscriber goes on by itself after the PostgreSQL server has crashed", { skip }, async () => {
  await using server = await startPostgres({ durable: true });
  const failures: unknown[] = [];
  const report = (error: unknown): void => void failures.push(error);
  await using database = await openDatabase({ url: await server.newDatabase(), clock: systemClock, report });
  const seen = new Set<string>();
  const heard = { before: Promise.withResolvers<void>(), after: Promise.withResolvers<void>() };
  const subscriber: Subscriber = {
    name: "survivor",
    holder: "node",
    from: "now",
    handle: {
      deliver: async (events) => {
        for (const { subject } of events) {
          seen.add(subject);
          heard[subject as keyof typeof heard].resolve();
        }
      },
    },
    report,
  };
  await registerSubscriber(database, subscriber);
  const stop = new AbortController();
  const running = runSubscriber(database, subscriber, stop.signal);
  const append = (subject: string) =>
    database.transaction(async (trx) =>
      appendEvent(trx, { type: "t", subject, data: null, correlationId: "", actor: "" }),
    );
  try {
    await append("before");
    await heard.before.promise;
    await server.crashAndRestart();
    await append("after");
    await heard.after.promise;
    assert.deepEqual([...seen], ["before", "after"]);
    assert.ok(failures.length > 0, "the crash was reported");
  } finally {
    stop.abort();
    await running;
  }
});
