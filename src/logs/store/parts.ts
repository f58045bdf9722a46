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
    `SELECT TimeGenerated::DATE::VARCHAR, count(*), min(epoch_us(TimeGenerated)), max(epoch_us(TimeGenerated))
     FROM ${from} GROUP BY ALL ORDER BY 1`,
  );
  const parts: Part[] = [];
  const folders = new Set<string>();
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
      `COPY (SELECT ${list} FROM ${from} WHERE TimeGenerated BETWEEN make_timestamp(${first}) AND make_timestamp(${last}) ORDER BY TimeGenerated)
       TO ${quoteText(file)} (FORMAT parquet, COMPRESSION zstd)`,
    );
    await using opened = await disk.open(file, "readWrite");
    await opened.sync();
    for (let at = dirname(file); at.length >= folder.length; at = dirname(at)) folders.add(at);
    parts.push({
      ...place,
      day: String(day),
      path,
      rows: Number(rows),
      from: Number(first),
      to: Number(last),
      columns: [...columns],
      isFilled: true,
    });
  }
  for (const at of folders) await disk.syncDirectory(at);
  return parts;
}

export function partsSource(folder: string, parts: readonly Part[]): string {
  return `read_parquet([${parts.map(({ path }) => quoteText(join(folder, path))).join(", ")}], hive_partitioning = false)`;
}
