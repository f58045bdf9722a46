import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { sql, type Transaction } from "kysely";
import { systemClock } from "../lib/clock.ts";
import { isErrorCode } from "../lib/errors.ts";
import { openDatabase, type Database } from "./database.ts";
import { migrate } from "./migrate.ts";
import { migrations } from "./migrations.ts";
import type { Tables } from "./schema.ts";
import { describeEachDialect } from "./testing/each-dialect.ts";
import { scopeOf } from "./transaction.ts";

const lease = (name: string, fence = 1) => ({ name, holder: "h", fence, acquired_at: 1, expires_at: 2 });

describeEachDialect("a database", ({ dialect, newPlace }) => {
  let database: Database;
  before(async () => {
    database = await openDatabase({ ...(await newPlace()), clock: systemClock });
  });
  after(() => database.close());

  const insert = (name: string) => database.kysely.insertInto("leases").values(lease(name)).execute();
  const find = (name: string) =>
    database.kysely.selectFrom("leases").selectAll().where("name", "=", name).executeTakeFirst();

  test("what a transaction wrote is there when it ends, and nothing of one that fails", async () => {
    await database.transaction(async (trx) => {
      await trx.insertInto("leases").values(lease("kept")).execute();
    });
    assert.deepEqual(await find("kept"), lease("kept"));
    await assert.rejects(
      database.transaction(async (trx) => {
        await trx.insertInto("leases").values(lease("lost")).execute();
        throw new Error("changed my mind");
      }),
      /changed my mind/,
    );
    assert.equal(await find("lost"), undefined);
  });

  test("a read beside a running transaction neither waits for it nor sees it", async () => {
    await database.transaction(async (trx) => {
      await trx.insertInto("leases").values(lease("unseen")).execute();
      assert.equal(await find("unseen"), undefined);
      assert.equal((await trx.selectFrom("leases").select("name").where("name", "=", "unseen").execute()).length, 1);
    });
    assert.notEqual(await find("unseen"), undefined);
  });

  test("concurrent read-modify-write transactions lose no update", async () => {
    await insert("counter");
    await Promise.all(
      Array.from({ length: 20 }, () =>
        database.transaction(async (trx) => {
          const { fence } = await trx
            .selectFrom("leases")
            .select("fence")
            .where("name", "=", "counter")
            .executeTakeFirstOrThrow();
          await new Promise((resolve) => setImmediate(resolve));
          await trx
            .updateTable("leases")
            .set({ fence: fence + 1 })
            .where("name", "=", "counter")
            .execute();
        }),
      ),
    );
    assert.equal((await find("counter"))?.fence, 21);
  });

  test("reads inside many transactions at once find a connection", async () => {
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        database.transaction(async (trx) => {
          await trx
            .insertInto("leases")
            .values(lease(`reader-${index}`))
            .execute();
          await find("kept");
        }),
      ),
    );
  });

  test("a query that comes after its transaction has ended is refused", async () => {
    let leaked: Transaction<Tables> | undefined;
    await database.transaction(async (trx) => {
      leaked = trx;
    });
    await assert.rejects(leaked!.insertInto("leases").values(lease("stray")).execute());
    assert.equal(await find("stray"), undefined);
  });

  test("write skew is impossible: two transactions that each see the other's row absent cannot both insert", async () => {
    const insertIfAlone = (name: string) =>
      database.transaction(async (trx) => {
        const rows = await trx.selectFrom("leases").select("name").where("name", "like", "skew-%").execute();
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (rows.length === 0) await trx.insertInto("leases").values(lease(name)).execute();
      });
    await Promise.all([insertIfAlone("skew-a"), insertIfAlone("skew-b")]);
    const { count } = await database.kysely
      .selectFrom("leases")
      .select(({ fn }) => fn.countAll<number>().as("count"))
      .where("name", "like", "skew-%")
      .executeTakeFirstOrThrow();
    assert.equal(count, 1);
  });

  test("a transaction inside a transaction is refused instead of waiting for ever", async () => {
    await assert.rejects(
      database.transaction(() => database.transaction(async () => {})),
      (error) => isErrorCode(error, "TransactionNested"),
    );
    await insert("after-nested");
  });

  test("steps before the commit run last, steps after it run once and only when it is durable", async () => {
    const order: string[] = [];
    await database.transaction(async (trx) => {
      scopeOf(trx).afterCommit(() => order.push("after"));
      scopeOf(trx).beforeCommit(async () => {
        order.push("before");
      });
      order.push("work");
    });
    await assert.rejects(
      database.transaction(async (trx) => {
        scopeOf(trx).afterCommit(() => order.push("never"));
        scopeOf(trx).beforeCommit(() => Promise.reject(new Error("refused at the end")));
        await trx.insertInto("leases").values(lease("refused")).execute();
      }),
      /refused at the end/,
    );
    assert.deepEqual(order, ["work", "before", "after"]);
    assert.equal(await find("refused"), undefined);
  });

  test("numbers, counts and sums come back as numbers, text sorts by bytes, types are enforced", async () => {
    const big = 2 ** 52 + 1;
    for (const [index, name] of ["order-b", "order-B", "order-é", "order-_"].entries()) {
      await database.kysely
        .insertInto("leases")
        .values(lease(name, big + index))
        .execute();
    }
    const rows = await database.kysely
      .selectFrom("leases")
      .select("name")
      .where("name", "like", "order-%")
      .orderBy("name")
      .execute();
    assert.deepEqual(
      rows.map(({ name }) => name),
      ["order-B", "order-_", "order-b", "order-é"],
    );
    const { total } = await database.kysely
      .selectFrom("leases")
      .select(({ fn }) => fn.sum<number>("acquired_at").as("total"))
      .where("name", "like", "order-%")
      .executeTakeFirstOrThrow();
    assert.equal(total, 4);
    assert.equal((await find("order-b"))?.fence, big);
    await assert.rejects(
      sql`insert into leases (name, holder, fence, acquired_at, expires_at) values ('x', 'y', 'many', 1, 1)`.execute(
        database.kysely,
      ),
    );
  });

  test("a stream of rows sees one moment and holds up nobody", async () => {
    for (let index = 0; index < 5; index += 1) await insert(`stream-${index}`);
    const seen: string[] = [];
    const rows = database.kysely.selectFrom("leases").select("name").where("name", "like", "stream-%").orderBy("name");
    const cursor = dialect === "sqlite" ? rows.stream() : await rows.execute();
    for await (const { name } of cursor) {
      if (seen.length === 0) await insert("stream-9");
      seen.push(name);
    }
    assert.deepEqual(seen, ["stream-0", "stream-1", "stream-2", "stream-3", "stream-4"]);
    assert.notEqual(await find("stream-9"), undefined);
  });

  test("opening again applies no migration twice, and racing openers apply each once", async () => {
    const place = await newPlace();
    const opened = await Promise.all([1, 2, 3].map(() => openDatabase({ ...place, clock: systemClock })));
    for (const one of opened) {
      assert.deepEqual(await migrate(one), []);
      const recorded = await one.kysely.selectFrom("schema_migrations").select("name").orderBy("name").execute();
      assert.deepEqual(
        recorded.map(({ name }) => name),
        migrations.map(({ name }) => name),
      );
      await one.close();
    }
  });

  test("a database from the future is refused by name", async () => {
    const place = await newPlace();
    const newer = await openDatabase({ ...place, clock: systemClock });
    await newer.kysely.insertInto("schema_migrations").values({ name: "9999-later", applied_at: 1 }).execute();
    await newer.close();
    await assert.rejects(openDatabase({ ...place, clock: systemClock }), (error) => {
      assert.ok(isErrorCode(error, "DatabaseFromTheFuture"));
      assert.match(String(error), /9999-later/);
      return true;
    });
  });

  test("a migration that fails leaves nothing of itself", async () => {
    const broken = {
      name: "0000-broken",
      apply: async ({ createTable, types }: Parameters<(typeof migrations)[number]["apply"]>[0]) => {
        await createTable("half").addColumn("id", types.text).execute();
        throw new Error("no further");
      },
    };
    await assert.rejects(migrate(database, undefined, [...migrations, broken]), /no further/);
    await assert.rejects(sql`select * from half`.execute(database.kysely));
    assert.deepEqual(await migrate(database), []);
  });
});

test("a URL that is not PostgreSQL's is refused without repeating its password", async () => {
  await assert.rejects(openDatabase({ url: "mysql://a:secret@b/c", clock: systemClock }), (error) => {
    assert.ok(isErrorCode(error, "DatabaseUrlInvalid"));
    assert.doesNotMatch(String(error), /secret/);
    return true;
  });
});

test("a server that does not answer and a file that is no database are said so, without the password", async () => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-db-"));
  try {
    const file = join(folder, "notes.txt");
    await writeFile(file, "These are my notes, and they are no database at all. ".repeat(20));
    for (const place of [
      { url: "postgresql://a:secret@127.0.0.1:1/c" },
      { file },
      { file: join(folder, "missing", "control.sqlite") },
    ]) {
      await assert.rejects(openDatabase({ ...place, clock: systemClock }), (error) => {
        assert.ok(isErrorCode(error, "DatabaseUnusable"));
        assert.doesNotMatch(String(error), /secret/);
        return true;
      });
    }
    assert.match(await readFile(file, "utf8"), /^These are my notes/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
