import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { test } from "node:test";
import { sql } from "kysely";
import { isErrorCode } from "../../lib/errors.ts";
import { temporaryDatabase } from "../testing/temporary-database.ts";

const lease = (name: string) => ({ name, holder: "h", fence: 1, acquired_at: 1, expires_at: 2 });

test("a full disk rolls the transaction back and the next one that fits goes through", async () => {
  await using database = await temporaryDatabase();
  const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(database.kysely);
  await sql`pragma max_page_count = ${sql.lit((rows[0]?.page_count ?? 0) + 5)}`.execute(database.kysely);
  await assert.rejects(
    database.transaction(async (trx) => {
      for (let index = 0; index < 1_000; index += 1) {
        await trx
          .insertInto("leases")
          .values({ ...lease(`fill ${index}`), holder: "h".repeat(1_000) })
          .execute();
      }
    }),
    /full/,
  );
  assert.deepEqual(await database.kysely.selectFrom("leases").select("name").execute(), []);
  await database.transaction((trx) => trx.insertInto("leases").values(lease("small")).execute());
  assert.equal((await database.kysely.selectFrom("leases").select("name").execute()).length, 1);
});

test("a write beside an open transaction of the same caller is refused instead of waiting for itself", async () => {
  await using database = await temporaryDatabase();
  await assert.rejects(
    database.transaction(() => database.kysely.insertInto("leases").values(lease("beside")).execute()),
    (error) => isErrorCode(error, "TransactionNested"),
  );
});

test("the file, its log and its index are for the owner only, and every commit is synchronous", async () => {
  await using database = await temporaryDatabase();
  for (const suffix of ["", "-wal", "-shm"])
    assert.equal((await stat(`${database.file}${suffix}`)).mode & 0o777, 0o600);
  const { rows } = await sql`pragma synchronous`.execute(database.kysely);
  assert.deepEqual(rows, [{ synchronous: 2 }]);
});
