// Where records live: a journal, recent rows in memory, older ones in Parquet. How rows get in is in
// intake.ts, what becomes of them in upkeep.ts, how queries see them in sources.ts.

import type { DuckDBInstance } from "@duckdb/node-api";
import { join } from "node:path";
import { openDuckDb, type ColumnSchema, type TableSource, type TimeBounds } from "../../kql/index.ts";
import type { Clock } from "../../lib/clock.ts";
import { findFiles, type FileSystem } from "../../lib/files.ts";
import type { Origin } from "../journal/entry.ts";
import { openJournal } from "../journal/journal.ts";
import type { RowBlock } from "../rows/row-block.ts";
import { typeBatch, type Records } from "../rows/type-batch.ts";
import { createIntake } from "./intake.ts";
import { readManifest, type Manifest } from "./manifest.ts";
import { createReaders } from "./readers.ts";
import { beginGeneration } from "./recent.ts";
import type { Retention } from "./retention.ts";
import { createSerial } from "./serial.ts";
import { tableSource, type Slice } from "./sources.ts";
import type { StoreState } from "./state.ts";
import { createTableColumns } from "./table-columns.ts";
import { createUpkeep } from "./upkeep.ts";
import { createUsage, usageRecords, type UsageCounts } from "./usage.ts";

export interface LogStore extends AsyncDisposable {
  readonly duckdb: DuckDBInstance;
  /** Returns when the records are durable and can be queried; all of them or none. */
  append(batch: readonly (Records | RowBlock)[], origin?: Origin): Promise<void>;
  columnsOf(workspace: string, table: string): readonly ColumnSchema[];
  /** Grows whenever a table gets a column. */
  readonly schemaVersion: number;
  /** Rows of other times than `needed` may be missing. */
  source(workspaces: readonly string[], table: string, slice: Slice, needed?: TimeBounds): TableSource;
  /** Between this and the call that it returns, nothing that `source` named goes away. */
  enter(): () => void;
  /** Writes down how much came in during the hours that have ended. */
  tellUsage(resourceUri: (workspace: string) => string | undefined): Promise<void>;
  /** Moves what is in memory to Parquet. */
  seal(): Promise<void>;
  /** Joins the files of days that have many. */
  compact(): Promise<void>;
  /** Drops whole days that have passed their table's retention. */
  retain(retention: Retention): Promise<void>;
  /** How much there is, for whoever watches. */
  status(): { readonly parts: number; readonly journalBytes: number; readonly generations: number };
}

export interface LogStoreOptions {
  readonly folder: string;
  readonly disk: FileSystem;
  readonly clock: Clock;
  readonly memoryLimitMiB?: number;
  readonly sealBytes?: number;
  readonly compactFrom?: number;
  readonly report: (error: unknown) => void;
}

export async function openLogStore(options: LogStoreOptions): Promise<LogStore> {
  const { folder, disk, clock, report } = options;
  const sealBytes = options.sealBytes ?? 32 * 1024 * 1024;
  await disk.makeDirectory(join(folder, "parquet"));
  await disk.makeDirectory(join(folder, "spill"));
  const manifest = await readManifest(disk, folder);
  await removeUnnamed(disk, folder, manifest);

  const duckdb = await openDuckDb({
    memoryLimitMiB: options.memoryLimitMiB ?? 1024,
    spillFolder: join(folder, "spill"),
    readable: [join(folder, "parquet")],
  });
  const writing = await duckdb.connect();
  const sealing = await duckdb.connect();
  const { journal, replay } = await openJournal(disk, join(folder, "journal"), manifest.through);
  const state: StoreState = {
    manifest,
    generations: [await beginGeneration(writing, 1)],
    positions: new Map(Object.entries(manifest.positions)),
    columns: createTableColumns(manifest.grown),
    usage: createUsage(manifest.usage),
  };

  const oneAtATime = createSerial();
  let isSealing = false;
  const sealWhenLarge = (): void => {
    if (isSealing || journal.size < sealBytes) return;
    isSealing = true;
    void oneAtATime(upkeep.seal)
      .catch(report)
      .finally(() => {
        isSealing = false;
      });
  };
  const readers = createReaders(report);
  const intake = createIntake(state, journal, sealWhenLarge);
  const upkeep = createUpkeep({ state, folder, disk, journal, intake, readers, writing, sealing });
  await intake.replay(replay());

  const append = async (batch: readonly (Records | RowBlock)[], origin?: Origin, told?: UsageCounts): Promise<void> => {
    const at = clock.now();
    await intake.add({ origin, at, told, blocks: typeBatch(state.columns.of, batch, at) });
  };

  return {
    duckdb,
    append,
    columnsOf: state.columns.of,
    get schemaVersion() {
      return state.columns.version;
    },
    source: (workspaces, table, slice, needed) => tableSource(state, folder, workspaces, table, slice, needed),
    enter: readers.enter,
    tellUsage: (resourceUri) =>
      oneAtATime(async () => {
        const told = state.usage.finished(clock.now());
        if (Object.keys(told).length > 0) await append(usageRecords(told, resourceUri), undefined, told);
      }),
    seal: () => oneAtATime(upkeep.seal),
    compact: () => oneAtATime(() => upkeep.compact(options.compactFrom ?? 8)),
    retain: (retention) => oneAtATime(() => upkeep.retain(retention, clock.now())),
    status: () => ({
      parts: state.manifest.parts.length,
      journalBytes: journal.size,
      generations: state.generations.length,
    }),
    [Symbol.asyncDispose]: async () => {
      await intake.settled();
      await oneAtATime(async () => {});
      await intake.still(() => journal.close());
      await readers.settled();
      writing.closeSync();
      sealing.closeSync();
      duckdb.closeSync();
    },
  };
}

/** Files that a crash left before a manifest named them, or after it no longer did. */
async function removeUnnamed(disk: FileSystem, folder: string, manifest: Manifest): Promise<void> {
  const named = new Set(manifest.parts.map(({ path }) => path));
  for (const path of await findFiles(["parquet/**/*.parquet"], folder)) {
    if (!named.has(path)) await disk.remove(join(folder, path));
  }
}
