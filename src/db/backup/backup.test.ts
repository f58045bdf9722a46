import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import * as fc from "fast-check";
import { appendEvent } from "../../events/append.ts";
import { newestPosition } from "../../events/read.ts";
import { manualClock } from "../../lib/clock.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { disk } from "../../lib/files.ts";
import { connectDatabase, openDatabase, type Database, type DatabasePlace } from "../database.ts";
import { postMessage } from "../outbox.ts";
import { describeEachDialect } from "../testing/each-dialect.ts";
import { temporaryDatabase } from "../testing/temporary-database.ts";
import { backupDatabase } from "./backup.ts";
import { backupWriter } from "./file-format.ts";
import { restoreDatabase } from "./restore.ts";
import { withSnapshot } from "./snapshot.ts";

const clock = manualClock(1_700_000_000_000);

/** Everything in a database, as text that can be compared. */
async function contents(database: Database): Promise<string[]> {
  return withSnapshot(database, async (snapshot) => {
    const lines: string[] = [];
    for (const table of await snapshot.tables()) {
      const columns = table.columns.toSorted();
      for await (const row of snapshot.rows({ ...table, columns })) {
        const values = row.map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value));
        lines.push(`${table.name} ${JSON.stringify(values)}`);
      }
    }
    return lines.sort();
  });
}

async function fill(database: Database): Promise<void> {
  await database.transaction(async (trx) => {
    for (let index = 0; index < 1_300; index += 1) {
      await postMessage(trx, {
        topic: "t",
        key: `k${index}`,
        body: { text: `ü "quoted"\n\u2028 ${index}`, big: 2 ** 53 - 1 },
      });
    }
    await trx
      .insertInto("signing_keys")
      .values({
        kid: "k",
        public_jwk: "{}",
        private_key: Buffer.from([0, 1, 2, 254, 255]),
        created_at: 1,
        signs_until: 2,
        verifies_until: 3,
      })
      .execute();
    await trx
      .insertInto("events")
      .values({
        position: 41,
        id: "e",
        type: "t",
        subject: "s",
        subjects: "[]",
        data: "null",
        correlation_id: "",
        actor: "",
        occurred_at: 1,
      })
      .execute();
  });
}

describeEachDialect("a control data backup", ({ newPlace }) => {
  let folder: string;
  let database: Database;
  let path: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "holdfast-backup-"));
    path = join(folder, "control.backup");
    database = await openDatabase({ ...(await newPlace()), clock });
    await fill(database);
    await backupDatabase(database, path);
  });
  after(async () => {
    await database.close();
    await rm(folder, { recursive: true, force: true });
  });

  const sqlitePlace = (name: string): DatabasePlace => ({ file: join(folder, `${name}.sqlite`) });

  test("restores into the same kind of database, and through SQLite back again, with nothing changed", async () => {
    const expected = await contents(database);
    let from = path;
    for (const [index, place] of [await newPlace(), sqlitePlace("between"), await newPlace()].entries()) {
      await restoreDatabase(from, { ...place, clock });
      await using restored = await openDatabase({ ...place, clock });
      assert.deepEqual(await contents(restored), expected);
      from = join(folder, `again-${index}.backup`);
      await backupDatabase(restored, from);
    }
  });

  test("lets event numbers go on behind the restored ones", async () => {
    const place = await newPlace();
    await restoreDatabase(path, { ...place, clock });
    await using restored = await openDatabase({ ...place, clock });
    await restored.transaction(async (trx) =>
      appendEvent(trx, { type: "t", subject: "s", data: null, correlationId: "", actor: "" }),
    );
    assert.equal(await newestPosition(restored), 42);
  });

  test("is of one moment, while others write", async () => {
    const place = await newPlace();
    await using busy = await openDatabase({ ...place, clock });
    const done = new AbortController();
    // Each transaction keeps the two halves equal; a backup that sees one without the other is torn.
    const writer = (async () => {
      for (let round = 0; !done.signal.aborted; round += 1) {
        await busy.transaction(async (trx) => {
          await postMessage(trx, { topic: "left", key: `${round}`, body: "x".repeat(2_000) });
          await postMessage(trx, { topic: "right", key: `${round}`, body: "x".repeat(2_000) });
        });
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let round = 0; round < 3; round += 1) {
      const torn = join(folder, `busy-${round}.backup`);
      await backupDatabase(busy, torn);
      const copy = sqlitePlace(`busy-${round}`);
      await restoreDatabase(torn, { ...copy, clock });
      await using restored = await openDatabase({ ...copy, clock });
      const keys = async (topic: string) =>
        (await restored.kysely.selectFrom("outbox").select("dedup_key").where("topic", "=", topic).execute())
          .map((row) => row.dedup_key)
          .sort();
      assert.deepEqual(await keys("left"), await keys("right"));
    }
    done.abort();
    await writer;
  });

  test("is refused by a target that holds something", async () => {
    const place = await newPlace();
    await (await openDatabase({ ...place, clock })).close();
    await assert.rejects(restoreDatabase(path, { ...place, clock }), (error) =>
      isErrorCode(error, "RestoreTargetNotEmpty"),
    );
  });

  test("that names what is no table of ours is refused", async () => {
    for (const name of ["schema_migrations", "sqlite_master", "pg_class", 'x" (y) values (1); --']) {
      const hostile = join(folder, "hostile.backup");
      const file = await disk.open(hostile, "create");
      const writer = await backupWriter(file);
      await writer.write({ kind: "header", migrations: ["0001-leases"], createdAt: 0 });
      await writer.write({ kind: "table", name, columns: ["name"] });
      await writer.write({ kind: "end", rows: 0 });
      await writer.finish();
      await file.close();
      await assert.rejects(restoreDatabase(hostile, { ...(await newPlace()), clock }), (error) =>
        isErrorCode(error, "BackupDamaged"),
      );
    }
  });

  test("that fails in the middle leaves the target empty, so that it can be tried again", async () => {
    const place = await newPlace();
    const unfit = join(folder, "unfit.backup");
    const file = await disk.open(unfit, "create");
    const writer = await backupWriter(file);
    await writer.write({ kind: "header", migrations: ["0001-leases"], createdAt: 0 });
    await writer.write({
      kind: "table",
      name: "leases",
      columns: ["name", "holder", "fence", "acquired_at", "expires_at"],
    });
    for (let index = 0; index < 700; index += 1) {
      await writer.write({ kind: "row", values: [`name ${index % 699}`, "h", 1, 2, 3] });
    }
    await writer.write({ kind: "end", rows: 700 });
    await writer.finish();
    await file.close();
    await assert.rejects(restoreDatabase(unfit, { ...place, clock }), /unique/i);
    await using target = await connectDatabase({ ...place, clock });
    assert.deepEqual(await withSnapshot(target, (snapshot) => snapshot.tables()), []);
    await restoreDatabase(path, { ...place, clock });
  });
});

describe("a control data backup's file", () => {
  let folder: string;
  let bytes: Buffer;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "holdfast-backup-"));
    await using database = await temporaryDatabase(clock);
    await fill(database);
    const path = join(folder, "whole.backup");
    await backupDatabase(database, path);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.includes("partial")),
      [],
    );
    bytes = await readFile(path);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const restoreBytes = async (content: Uint8Array) => {
    const path = join(folder, "changed.backup");
    await writeFile(path, content);
    const file = join(folder, "never.sqlite");
    await rm(file, { force: true });
    await restoreDatabase(path, { file, clock });
  };

  test("begins with its version, and another version is refused", async () => {
    assert.equal(bytes[0], 1);
    await assert.rejects(restoreBytes(Buffer.concat([Buffer.of(2), bytes.subarray(1)])), (error) =>
      isErrorCode(error, "BackupVersionUnknown"),
    );
  });

  test("with any byte changed, missing or cut off is refused before a database is made", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: bytes.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        fc.constantFrom("flip", "cut", "drop"),
        async (offset, mask, change) => {
          const changed = Buffer.from(bytes);
          changed.writeUInt8(changed.readUInt8(offset) ^ mask, offset);
          const content = {
            flip: changed,
            cut: bytes.subarray(0, offset),
            drop: Buffer.concat([bytes.subarray(0, offset), bytes.subarray(offset + 1)]),
          }[change];
          await assert.rejects(restoreBytes(content), (error) => isErrorCode(error, "BackupDamaged"));
          await assert.rejects(stat(join(folder, "never.sqlite")));
        },
      ),
      { numRuns: process.env["HOLDFAST_TEST_LONG"] === "1" ? 2_000 : 60 },
    );
  });
});
