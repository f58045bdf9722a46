// A backup becomes a database in one transaction, with the schema that it was taken from; then the
// usual migrations bring it up to date. The whole file is checked before the first row is written.

import { sql, type Transaction } from "kysely";
import { disk, type OpenFile } from "../../lib/files.ts";
import { connectDatabase, type Database, type DatabaseOptions } from "../database.ts";
import { applyMigration, migrate, refuseUnknown } from "../migrate.ts";
import { migrations } from "../migrations.ts";
import type { Tables } from "../schema.ts";
import type { BackupSummary } from "./backup.ts";
import { backupErrors } from "./errors.ts";
import { damaged, readBackup, type BackupHeader, type BackupRecord, type BackupValue } from "./file-format.ts";
import { withSnapshot, type TableShape } from "./snapshot.ts";

/** The database that `target` names must hold nothing yet. */
export async function restoreDatabase(path: string, target: DatabaseOptions): Promise<BackupSummary> {
  await using file = await disk.open(path, "read");
  const { header, summary } = await checkBackup(file);
  refuseUnknown(header.migrations, migrations);
  await using database = await connectDatabase(target);
  await refuseOccupied(database);
  await database.transaction(async (trx) => {
    for (const migration of migrations) {
      if (header.migrations.includes(migration.name)) await applyMigration(trx, database, migration);
    }
    await copyIn(trx, file, target.signal);
    if (database.dialect === "postgres") await continueNumbering(trx);
  });
  await migrate(database, target.signal);
  return summary;
}

/** Reads the whole file; throws when anything about it is wrong. */
async function checkBackup(file: OpenFile): Promise<{ header: BackupHeader; summary: BackupSummary }> {
  let header: BackupHeader | undefined;
  let table: TableShape | undefined;
  let end: number | undefined;
  const seen = { tables: 0, rows: 0 };
  for await (const record of readBackup(file)) {
    if (end !== undefined || (header === undefined) !== (record.kind === "header")) {
      throw damaged("its records are out of order");
    }
    if (record.kind === "header") header = record;
    else if (record.kind === "end") end = record.rows;
    else if (record.kind === "table") {
      table = record;
      seen.tables += 1;
    } else {
      if (record.values.length !== table?.columns.length) throw damaged("a row does not fit its table");
      seen.rows += 1;
    }
  }
  if (header === undefined || end !== seen.rows) throw damaged(`it announces ${end} rows and holds ${seen.rows}`);
  return { header, summary: seen };
}

async function refuseOccupied(database: Database): Promise<void> {
  const tables = await withSnapshot(database, (snapshot) => snapshot.tables());
  if (tables.length === 0) return;
  throw backupErrors.RestoreTargetNotEmpty(
    `The target database is not empty: it holds the table ${tables[0]?.name} and ${tables.length - 1} more.`,
  );
}

/** Within the number of parameters that either database takes in one statement. */
const maxParameters = 30_000;
const maxRows = 500;

async function copyIn(trx: Transaction<Tables>, file: OpenFile, signal: AbortSignal | undefined): Promise<void> {
  let table: TableShape | undefined;
  let rows: (readonly BackupValue[])[] = [];
  const flush = async (): Promise<void> => {
    signal?.throwIfAborted();
    if (table !== undefined && rows.length > 0) await insertRows(trx, table, rows);
    rows = [];
  };
  for await (const record of readBackup(file) as AsyncIterable<BackupRecord>) {
    if (record.kind === "row") {
      rows.push(record.values);
      if (rows.length >= maxRows || rows.length * record.values.length >= maxParameters) await flush();
      continue;
    }
    await flush();
    if (record.kind !== "table") continue;
    table = record;
    // Migrations may have put first rows there.
    await sql`delete from ${sql.table(table.name)}`.execute(trx);
  }
}

async function insertRows(
  trx: Transaction<Tables>,
  table: TableShape,
  rows: readonly (readonly BackupValue[])[],
): Promise<void> {
  const columns = sql.join(table.columns.map((column) => sql.id(column)));
  const values = sql.join(rows.map((row) => sql`(${sql.join(row)})`));
  await sql`insert into ${sql.table(table.name)} (${columns}) values ${values}`.execute(trx);
}

/** Numbers that PostgreSQL gives out must go on behind those that were restored. */
async function continueNumbering(trx: Transaction<Tables>): Promise<void> {
  const { rows } = await sql<{ known: string | null }>`select to_regclass('event_position')::text as known`.execute(
    trx,
  );
  if (rows[0]?.known === null) return;
  await sql`select setval('event_position', (select coalesce(max(position), 0) + 1 from events), false)`.execute(trx);
}
