// What is true of the Parquet files. A file counts from the moment a manifest names it; the manifest
// is written last and replaced as a whole, so a crash leaves the old state or the new one.

import { join } from "node:path";
import { z } from "zod";
import type { FileSystem } from "../../lib/files.ts";
import { logErrors } from "../errors.ts";

const partSchema = z.object({
  workspace: z.string(),
  table: z.string(),
  day: z.string(),
  /** Below the logs folder. */
  path: z.string(),
  rows: z.number(),
  /** Microseconds of the earliest and latest TimeGenerated. */
  from: z.number(),
  to: z.number(),
  columns: z.array(z.string()),
  /** Whether strings without a value are empty; in older files they are null. */
  isFilled: z.boolean().default(false),
});

const manifestSchema = z.object({
  version: z.literal(1),
  /** Batches up to this number are in the parts; the journal has the rest. */
  through: z.number(),
  /** Up to which position each source has been taken in. */
  positions: z.record(z.string(), z.number()),
  /** Columns that tables have grown, by `workspace/table`. */
  grown: z.record(z.string(), z.array(z.string())),
  /** What came in and was not told yet. */
  usage: z.record(z.string(), z.number()).default({}),
  parts: z.array(partSchema),
});

export type Part = z.output<typeof partSchema>;
export type Manifest = z.output<typeof manifestSchema>;

const emptyManifest: Manifest = { version: 1, through: 0, positions: {}, grown: {}, usage: {}, parts: [] };

export async function readManifest(disk: FileSystem, folder: string): Promise<Manifest> {
  const path = join(folder, "manifest.json");
  if ((await disk.status(path)) === undefined) return emptyManifest;
  const text = (await disk.read(path)).toString("utf8");
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw logErrors.ManifestDamaged(`${path} is not a manifest of this version.`, { cause });
  }
}

export async function writeManifest(disk: FileSystem, folder: string, manifest: Manifest): Promise<void> {
  await disk.writeDurably(join(folder, "manifest.json"), JSON.stringify(manifest));
}
