import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { sql } from "kysely";
import { systemClock } from "../lib/clock.ts";
import { restoreDatabase } from "./backup/restore.ts";
import { withSnapshot } from "./backup/snapshot.ts";
import { openDatabase, type Database } from "./database.ts";
import { describeEachDialect } from "./testing/each-dialect.ts";
import { goldenFolder, makeGolden } from "./testing/make-golden.ts";

const released = (await readdir(goldenFolder)).filter((name) => name.endsWith(".backup")).sort();

/** Every table with its columns, whatever order later migrations added them in. */
async function shape(database: Database): Promise<string[]> {
  const tables = await withSnapshot(database, (snapshot) => snapshot.tables());
  return tables.map(({ name, columns }) => `${name}(${columns.toSorted().join(", ")})`).sort();
}

describeEachDialect("golden databases", ({ newPlace }) => {
  let folder: string;
  let present: string;
  let expectedShape: string[];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "holdfast-golden-"));
    present = join(folder, "present.backup");
    await makeGolden(present);
    await using fresh = await openDatabase({ ...(await newPlace()), clock: systemClock });
    expectedShape = await shape(fresh);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const openMigrateRead = async (path: string) => {
    const place = await newPlace();
    const { tables } = await restoreDatabase(path, { ...place, clock: systemClock });
    assert.ok(tables > 0);
    await using database = await openDatabase({ ...place, clock: systemClock });
    assert.deepEqual(await shape(database), expectedShape);
    for (const { name } of await withSnapshot(database, (snapshot) => snapshot.tables())) {
      const { rows } = await sql`select * from ${sql.table(name)}`.execute(database.kysely);
      if (path === present) assert.ok(rows.length > 0, `${name} has rows`);
    }
  };

  test("today's schema can be made golden", () => openMigrateRead(present));

  for (const name of released) {
    test(`that of release ${name} opens, migrates to today's schema and is read`, () =>
      openMigrateRead(join(goldenFolder, name)));
  }
});
