// Writes Parquet: one file for each workspace, table and day, durable before a manifest names it.

import type { DuckDBConnection } from "@duckdb/node-api";
import { dirname, join } from "node:path";
import { quoteName, quoteText } from "../../kql/index.ts";
import type { FileSystem } from "../../lib/files.ts";
import { newGuid } from "../../lib/random.ts";
import type { Part } from "./manifest.ts";

export interface PartPlace {
  readonly workspace: string;
  readonly table: string;
}

/** `from` is our own SQL: a recent table or a list of parts. Returns one part for each day in it. */
export async function writeParts(
  disk: FileSystem,
  folder: string,
  connection: DuckDBConnection,
  place: PartPlace,
  from: string,
  columns: readonly string[],
): Promise<Part[]> {
  const list = columns.map(quoteName).join(", ");
  const days = await connection.run(
    `SELECT strftime(TimeGenerated, '%Y-%m-%d'), count(*), min(epoch_us(TimeGenerated)), max(epoch_us(TimeGenerated))
     FROM ${from} GROUP BY 1 ORDER BY 1`,
  );
  const parts: Part[] = [];
  for (const [day, rows, first, last] of await days.getRows()) {
    const path = join(
      "parquet",
      `workspace=${place.workspace}`,
      `table=${place.table}`,
      `day=${String(day)}`,
      `${newGuid()}.parquet`,
    );
    const file = join(folder, path);
    await disk.makeDirectory(dirname(file));
    await connection.run(
      `COPY (SELECT ${list} FROM ${from} WHERE strftime(TimeGenerated, '%Y-%m-%d') = ${quoteText(String(day))} ORDER BY TimeGenerated)
       TO ${quoteText(file)} (FORMAT parquet, COMPRESSION zstd)`,
    );
    await makeDurable(disk, folder, file);
    parts.push({
      ...place,
      day: String(day),
      path,
      rows: Number(rows),
      from: Number(first),
      to: Number(last),
      columns: [...columns],
    });
  }
  return parts;
}

export function partsSource(folder: string, parts: readonly Part[]): string {
  return `read_parquet([${parts.map(({ path }) => quoteText(join(folder, path))).join(", ")}], hive_partitioning = false)`;
}

async function makeDurable(disk: FileSystem, folder: string, file: string): Promise<void> {
  await using opened = await disk.open(file, "readWrite");
  await opened.sync();
  for (let at = dirname(file); at.length >= folder.length; at = dirname(at)) await disk.syncDirectory(at);
}
