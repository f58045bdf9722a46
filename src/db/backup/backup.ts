import { dirname } from "node:path";
import { disk } from "../../lib/files.ts";
import type { Database } from "../database.ts";
import { backupWriter, type BackupValue, type BackupWriter } from "./file-format.ts";
import { withSnapshot, type Snapshot } from "./snapshot.ts";

export interface BackupSummary {
  readonly tables: number;
  readonly rows: number;
}

/** Writes everything as of one moment to `path`, which is there whole or not at all. */
export async function backupDatabase(database: Database, path: string, signal?: AbortSignal): Promise<BackupSummary> {
  const partial = `${path}.partial`;
  const file = await disk.open(partial, "create", 0o600);
  try {
    const writer = await backupWriter(file);
    const summary = await withSnapshot(database, (snapshot) => copyOut(database, snapshot, writer, signal));
    await writer.finish();
    await file.close();
    await disk.rename(partial, path);
    await disk.syncDirectory(dirname(path));
    return summary;
  } catch (error) {
    await file.close();
    await disk.remove(partial);
    throw error;
  }
}

async function copyOut(
  database: Database,
  snapshot: Snapshot,
  writer: BackupWriter,
  signal: AbortSignal | undefined,
): Promise<BackupSummary> {
  const all = await snapshot.tables();
  const record = all.find(({ name }) => name === "schema_migrations");
  const migrations: string[] = [];
  if (record !== undefined) {
    for await (const [name] of snapshot.rows({ ...record, columns: ["name"] })) migrations.push(String(name));
  }
  await writer.write({ kind: "header", migrations: migrations.sort(), createdAt: database.clock.now() });
  // The record of migrations is written by the migrations that a restore applies.
  const tables = all.filter((table) => table !== record);
  let rows = 0;
  for (const table of tables) {
    await writer.write({ kind: "table", ...table });
    for await (const values of snapshot.rows(table)) {
      signal?.throwIfAborted();
      await writer.write({ kind: "row", values: values as readonly BackupValue[] });
      rows += 1;
    }
  }
  await writer.write({ kind: "end", rows });
  return { tables: tables.length, rows };
}
