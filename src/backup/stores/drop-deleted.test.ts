import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openDatabase, type Database } from "../../db/database.ts";
import { describeEachDialect } from "../../db/testing/each-dialect.ts";
import { systemClock } from "../../lib/clock.ts";
import { newGuid } from "../../lib/random.ts";
import { dropDeleted, postDrops } from "./drop-deleted.ts";
import { vaultStore } from "./store-name.ts";

describeEachDialect("stores of deleted vaults", ({ newPlace }) => {
  let database: Database;
  before(async () => {
    database = await openDatabase({ ...(await newPlace()), clock: systemClock });
  });
  after(() => database.close());

  test("one that cannot be dropped is tried again, and keeps no other one waiting", async () => {
    const [stuck, next] = [newGuid(), newGuid()];
    const ending = new AbortController();
    const dropped: string[] = [];
    const reported: unknown[] = [];
    const isMended = (): boolean => dropped.includes(vaultStore(next));
    const working = dropDeleted(
      database,
      {
        drop: async (name) => {
          if (name === vaultStore(stuck) && !isMended()) throw new Error("the bucket does not answer");
          dropped.push(name);
          if (dropped.length === 2) ending.abort();
        },
      },
      (error) => reported.push(error),
      ending.signal,
      { firstDelayMilliseconds: 1, maxDelayMilliseconds: 2 },
    );
    for (const guid of [stuck, stuck, next]) {
      await database.transaction((trx) => postDrops(trx, [{ data: { guid } }]));
    }
    await working;
    assert.deepEqual(dropped, [vaultStore(next), vaultStore(stuck)]);
    assert.ok(reported.length > 0);
  });
});
