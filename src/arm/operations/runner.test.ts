import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase, type Database } from "../../db/database.ts";
import { describeEachDialect } from "../../db/testing/each-dialect.ts";
import { systemClock } from "../../lib/clock.ts";
import { waitFor } from "../../lib/time.ts";
import { armErrors } from "../errors.ts";
import type { Caller } from "../request.ts";
import { getOperation, startOperation, type Operation } from "./operation.ts";
import { createOperationRunner, type OperationRunner } from "./runner.ts";

const caller: Caller = {
  principalId: "p",
  principalType: "User",
  name: "ada",
  applicationId: "a",
  tenantId: "t",
  claims: {},
};

describeEachDialect("the operation runner", ({ newPlace }) => {
  const open = async (): Promise<Database> => openDatabase({ ...(await newPlace()), clock: systemClock });
  const runnerOn = (database: Database, atOnce = 2): OperationRunner =>
    createOperationRunner({ database, holder: "test", atOnce, report: () => {} });
  const begin = (database: Database, kind: string, input: object = {}): Promise<string> =>
    database.transaction((trx) =>
      startOperation(trx, systemClock, {
        kind,
        subscriptionId: "s",
        resourceId: "/subscriptions/s",
        input,
        caller,
        correlationId: "c",
      }),
    );
  const ended = (database: Database, id: string): Promise<Operation> =>
    waitFor(
      `operation ${id} ends`,
      async () => {
        const operation = await getOperation(database.kysely, id);
        return operation.status === "InProgress" ? undefined : operation;
      },
      120_000,
    );

  test("carries out what was started, with its result or its error", async () => {
    await using database = await open();
    await using runner = runnerOn(database);
    runner.register("good", async ({ operation }) => ({ got: operation.input }));
    runner.register("bad", async () => {
      throw armErrors.Conflict("It is taken.");
    });
    await runner.start();
    const good = await begin(database, "good", { a: 1 });
    const bad = await begin(database, "bad");
    runner.wake();
    assert.deepEqual((await ended(database, good)).result, { got: { a: 1 } });
    const failed = await ended(database, bad);
    assert.equal(failed.status, "Failed");
    assert.deepEqual(failed.error, { code: "Conflict", message: "It is taken." });
  });

  test("hands work back when it ends, and the next one goes on with it", async () => {
    await using database = await open();
    const started = Promise.withResolvers<void>();
    const first = runnerOn(database);
    first.register("long", ({ signal }) => {
      started.resolve();
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    await first.start();
    const id = await begin(database, "long");
    first.wake();
    await started.promise;
    await first[Symbol.asyncDispose]();
    assert.equal((await getOperation(database.kysely, id)).status, "InProgress");
    await using second = runnerOn(database);
    second.register("long", async () => "done");
    await second.start();
    assert.equal((await ended(database, id)).result, "done");
  });

  test("operations that wait for others take no place from them", async () => {
    await using database = await open();
    await using runner = runnerOn(database, 1);
    runner.register(
      "outer",
      async () => {
        const inner = await begin(database, "inner");
        runner.wake();
        return (await ended(database, inner)).result;
      },
      { waitsForOthers: true },
    );
    runner.register("inner", async () => "inner result");
    await runner.start();
    const outers = await Promise.all([1, 2, 3].map(() => begin(database, "outer")));
    runner.wake();
    for (const id of outers) assert.equal((await ended(database, id)).result, "inner result");
  });

  test("never more at once than it may", async () => {
    await using database = await open();
    await using runner = runnerOn(database, 2);
    let now = 0;
    let most = 0;
    const two = Promise.withResolvers<void>();
    runner.register("counted", async () => {
      now += 1;
      most = Math.max(most, now);
      if (now === 2) two.resolve();
      await two.promise;
      now -= 1;
    });
    await runner.start();
    const ids = await Promise.all(Array.from({ length: 8 }, () => begin(database, "counted")));
    runner.wake();
    for (const id of ids) await ended(database, id);
    assert.equal(most, 2);
  });

  test("refuses to start when rows wait for a kind that it does not know", async () => {
    await using database = await open();
    await begin(database, "from-the-future");
    await using runner = runnerOn(database);
    await assert.rejects(runner.start(), /from-the-future/);
  });
});
