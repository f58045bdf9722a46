// Makes the golden database of a release: `node src/db/testing/make-golden.ts 0.1.0`. It is written
// once, when the release is made, and never changed; golden.test.ts opens all of them for ever.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { backupDatabase } from "../backup/backup.ts";
import { openDatabase } from "../database.ts";

export const goldenFolder = fileURLToPath(new URL("../golden/", import.meta.url));

/** A backup of a database with today's schema and two rows in every table. */
export async function makeGolden(path: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-golden-"));
  try {
    const file = join(folder, "golden.sqlite");
    await using database = await openDatabase({ file, clock: { now: () => Date.parse("2026-01-01T00:00:00Z") } });
    fillTables(file);
    await backupDatabase(database, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function fillTables(file: string): void {
  const connection = new DatabaseSync(file);
  const tables = connection
    .prepare("select name from sqlite_master where type = 'table' and name <> 'schema_migrations' order by rowid")
    .all();
  for (const { name } of tables) {
    const columns = connection.prepare("select name, type from pragma_table_info(?)").all(String(name));
    for (const number of [1, 2]) {
      const values = columns.map(({ type }) => valueOf(String(type), number));
      const marks = values.map(() => "?").join(", ");
      connection.prepare(`insert or ignore into "${String(name)}" values (${marks})`).run(...values);
    }
  }
  connection.close();
}

/** Text is JSON too, so that a later migration can parse whichever column holds JSON. */
function valueOf(type: string, number: number): SQLInputValue {
  if (type.toLowerCase() === "text") return `"golden ${number}"`;
  if (type.toLowerCase() === "blob") return Uint8Array.of(number);
  return BigInt(number);
}

const [release] = process.argv.slice(2);
if (import.meta.main && release !== undefined) await makeGolden(join(goldenFolder, `${release}.backup`));
