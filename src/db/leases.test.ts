import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as fc from "fast-check";
import { manualClock } from "../lib/clock.ts";
import { isErrorCode } from "../lib/errors.ts";
import { openDatabase, type Database } from "./database.ts";
import {
  acquireLease,
  assertLeaseHeld,
  endLeasesOf,
  releaseLease,
  renewLease,
  withLease,
  type Lease,
} from "./leases.ts";
import { describeEachDialect } from "./testing/each-dialect.ts";

const isLost = (error: unknown) => isErrorCode(error, "LeaseLost");

describeEachDialect("a lease", ({ newPlace }) => {
  const clock = manualClock(1_000_000);
  let database: Database;
  before(async () => {
    database = await openDatabase({ ...(await newPlace()), clock });
  });
  after(() => database.close());

  const workUnder = (lease: Lease) => database.transaction((trx) => assertLeaseHeld(trx, lease));
  const acquire = async (name: string, holder = "a") => {
    const lease = await acquireLease(database, name, holder, 1_000);
    assert.ok(lease !== undefined);
    return lease;
  };

  test("is refused to a second holder until it is released or over", async () => {
    const first = await acquire("one");
    assert.equal(await acquireLease(database, "one", "b", 1_000), undefined);
    await releaseLease(database, first);
    const second = await acquire("one", "b");
    assert.ok(second.fence > first.fence);
    clock.advance(1_000);
    assert.ok((await acquire("one", "c")).fence > second.fence);
  });

  test("that ran out lets no work be committed, also before anybody took it over", async () => {
    const lease = await acquire("two");
    await workUnder(lease);
    clock.advance(1_000);
    await assert.rejects(workUnder(lease), isLost);
    await renewLease(database, lease, 1_000);
    await workUnder(lease);
  });

  test("that runs out while a transaction works rolls that work back", async () => {
    const lease = await acquire("three");
    await assert.rejects(
      database.transaction(async (trx) => {
        await assertLeaseHeld(trx, lease);
        await trx
          .insertInto("leases")
          .values({ name: "by-product", holder: "x", fence: 1, acquired_at: 0, expires_at: 0 })
          .execute();
        clock.advance(1_000);
      }),
      isLost,
    );
    const found = await database.kysely.selectFrom("leases").select("name").where("name", "=", "by-product").execute();
    assert.deepEqual(found, []);
  });

  test("that was taken over can be neither renewed nor worked under, and its release hurts nobody", async () => {
    const old = await acquire("four");
    clock.advance(1_000);
    const present = await acquire("four", "b");
    await assert.rejects(renewLease(database, old, 1_000), isLost);
    await assert.rejects(workUnder(old), isLost);
    await releaseLease(database, old);
    await workUnder(present);
  });

  test("goes to exactly one of many who ask at the same time", async () => {
    const asked = await Promise.all(
      Array.from({ length: 8 }, (_, index) => acquireLease(database, "five", `holder ${index}`, 1_000)),
    );
    assert.equal(asked.filter((lease) => lease !== undefined).length, 1);
  });

  test("cannot be taken over between a transaction's check and its commit", async () => {
    const lease = await acquire("six");
    let takenOver: Promise<Lease | undefined> | undefined;
    const order: string[] = [];
    await database.transaction(async (trx) => {
      await assertLeaseHeld(trx, lease);
      // A process whose clock runs ahead believes that the lease is over.
      const hasty: Database = { ...database, clock: manualClock(clock.now() + 5_000) };
      takenOver ??= setImmediateOutside(() => acquireLease(hasty, "six", "b", 1_000)).then((result) => {
        order.push("taken over");
        return result;
      });
      await new Promise((resolve) => setTimeout(resolve, 20));
      order.push("about to commit");
    });
    assert.ok((await takenOver) !== undefined);
    assert.deepEqual(order, ["about to commit", "taken over"]);
  });

  test("is renewed while the work goes on and free when it has ended", async () => {
    const done = await withLease(
      database,
      { name: "seven", holder: "a", milliseconds: 30 },
      async (lease, signal) => {
        const expiry = () =>
          database.kysely
            .selectFrom("leases")
            .select("expires_at")
            .where("name", "=", "seven")
            .executeTakeFirstOrThrow();
        const start = await expiry();
        clock.advance(29);
        while ((await expiry()).expires_at === start.expires_at) await new Promise((resolve) => setTimeout(resolve, 3));
        await workUnder(lease);
        return signal.aborted;
      },
      new AbortController().signal,
    );
    assert.deepEqual(done, { result: false });
    await acquire("seven", "b");
  });

  test("that is lost stops the work", async () => {
    await withLease(
      database,
      { name: "eight", holder: "a", milliseconds: 30 },
      async (_lease, signal) => {
        // Its holder may renew it between the two.
        do clock.advance(1_000);
        while ((await acquireLease(database, "eight", "b", 1_000)) === undefined);
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
        assert.ok(isLost(signal.reason));
      },
      new AbortController().signal,
    );
    assert.equal(await acquireLease(database, "eight", "c", 1_000), undefined);
  });

  test("that cannot be renewed because the database does not answer stops the work", async () => {
    // Neither the renewal nor the release is ever answered.
    const silence = (): object =>
      new Proxy({}, { get: (_, name) => (String(name).startsWith("execute") ? never : silence) });
    const never = (): Promise<never> => new Promise(() => {});
    const kysely = new Proxy(database.kysely, {
      get: (asked, name) => {
        const found: unknown = Reflect.get(asked, name, asked);
        return name === "updateTable" ? silence : typeof found === "function" ? found.bind(asked) : found;
      },
    });
    const silent: Database = { ...database, kysely };
    const working = withLease(
      silent,
      { name: "silent", holder: "a", milliseconds: 30 },
      (_lease, signal) =>
        new Promise<unknown>((resolve) => signal.addEventListener("abort", () => resolve(signal.reason))),
      new AbortController().signal,
    );
    assert.ok(isLost((await working)?.result));
  });

  test("ends when its holder's folder has a new process; another holder's stays", async () => {
    await acquire("nine");
    await acquire("ninety", "ab");
    await endLeasesOf(database, "a");
    await acquire("nine", "b");
    assert.equal(await acquireLease(database, "ninety", "b", 1_000), undefined);
  });

  test("is never held by two, whatever happens in whatever order", async () => {
    const step = fc.oneof(
      fc.record({ does: fc.constant("acquire" as const), milliseconds: fc.integer({ min: 1, max: 50 }) }),
      fc.record({ does: fc.constantFrom("renew" as const, "release" as const), which: fc.nat(5) }),
      fc.record({ does: fc.constant("wait" as const), milliseconds: fc.integer({ min: 0, max: 60 }) }),
    );
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        run += 1;
        const got: Lease[] = [];
        for (const one of steps) {
          if (one.does === "wait") clock.advance(one.milliseconds);
          else if (one.does === "acquire") {
            const lease = await acquireLease(database, `property ${run}`, "p", one.milliseconds);
            if (lease !== undefined) got.push(lease);
          } else {
            const lease = got[one.which % Math.max(1, got.length)];
            if (lease === undefined) continue;
            if (one.does === "release") await releaseLease(database, lease);
            else await renewLease(database, lease, 30).catch(() => {});
          }
          const able = await Promise.all(
            got.map((lease) =>
              workUnder(lease).then(
                () => lease,
                () => undefined,
              ),
            ),
          );
          const holders = able.filter((lease) => lease !== undefined);
          assert.ok(holders.length <= 1);
          assert.ok(
            holders.every((lease) => lease === got.at(-1)),
            "only the newest can hold it",
          );
        }
        assert.deepEqual(
          got.map(({ fence }) => fence),
          got.map((_, index) => index + 1),
        );
      }),
      { numRuns: process.env["HOLDFAST_TEST_LONG"] === "1" ? 500 : 15 },
    );
  });
});

/** Leaves the async context of an open transaction, as another process would be outside it. */
const outside = new (await import("node:async_hooks")).AsyncResource("outside");
function setImmediateOutside<T>(work: () => Promise<T>): Promise<T> {
  return outside.runInAsyncScope(work);
}
