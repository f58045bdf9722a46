// Where records live. A batch is acknowledged when it is in the journal, durably, and in memory, where
// queries see it. From time to time a generation is sealed: its rows become Parquet, a manifest names
// the files, and only then do the journal's segments and the rows in memory go. Whatever moment a crash
// chooses, each batch is either in a file that the manifest names or in the journal behind it.

import type { DuckDBInstance } from "@duckdb/node-api";
import { join } from "node:path";
import { openDuckDb, quoteName, quoteText, type ColumnSchema, type TableSource } from "../../kql/index.ts";
import type { Clock } from "../../lib/clock.ts";
import { findFiles, type FileSystem } from "../../lib/files.ts";
import { logErrors } from "../errors.ts";
import { largestPayload } from "../journal/frames.ts";
import { openJournal } from "../journal/journal.ts";
import { typeRecords, type LogRecord, type StoredRow } from "../records.ts";
import { suffixType } from "../schema/azure-diagnostics.ts";
import { logTable } from "../schema/tables.ts";
import { readManifest, writeManifest, type Manifest, type Part } from "./manifest.ts";
import { partsSource, writeParts } from "./parts.ts";
import { physicalType, sourceColumn } from "./physical.ts";
import { createReaders } from "./readers.ts";
import { daysKept, type Retention } from "./retention.ts";
import { beginGeneration, type Generation } from "./recent.ts";
import { createSerial } from "./serial.ts";

export interface Records {
  /** The workspace's customer id. */
  readonly workspace: string;
  readonly table: string;
  readonly records: readonly LogRecord[];
}

/** Where a batch comes from; a position that has been taken in is not taken in again. */
export interface Origin {
  readonly source: string;
  readonly position: number;
}

export interface TimeRange {
  /** Milliseconds; from inclusive, to exclusive. */
  readonly from?: number;
  readonly to?: number;
}

/** The rows that a query may see. */
export interface Slice extends TimeRange {
  /** Lower case: only rows of this resource and of what stands below it. */
  readonly resource?: string | undefined;
}

export interface LogStore extends AsyncDisposable {
  readonly duckdb: DuckDBInstance;
  /** Returns when the records are durable and can be queried; all of them or none. */
  append(batch: readonly Records[], origin?: Origin): Promise<void>;
  columnsOf(workspace: string, table: string): readonly ColumnSchema[];
  /** Grows whenever a table gets a column. */
  readonly schemaVersion: number;
  source(workspaces: readonly string[], table: string, slice: Slice): TableSource;
  /** Between this and the call that it returns, nothing that `source` named goes away. */
  enter(): () => void;
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

interface JournalEntry {
  readonly origin?: Origin;
  readonly batch: readonly {
    readonly workspace: string;
    readonly table: string;
    readonly rows: readonly StoredRow[];
  }[];
}

interface Waiting {
  readonly entry: JournalEntry;
  readonly payload: Buffer;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const workspacePattern = /^[0-9a-f-]{36}$/;
const dayMilliseconds = 86_400_000;

export async function openLogStore(options: LogStoreOptions): Promise<LogStore> {
  const { folder, disk, clock, report } = options;
  const sealBytes = options.sealBytes ?? 32 * 1024 * 1024;
  const compactFrom = options.compactFrom ?? 8;
  await disk.makeDirectory(join(folder, "parquet"));
  await disk.makeDirectory(join(folder, "spill"));
  let manifest = await readManifest(disk, folder);
  await removeUnnamed(disk, folder, manifest);

  const duckdb = await openDuckDb({
    memoryLimitMiB: options.memoryLimitMiB ?? 1024,
    spillFolder: join(folder, "spill"),
    readable: [join(folder, "parquet")],
  });
  const writing = await duckdb.connect();
  const sealing = await duckdb.connect();
  const { journal, replay } = await openJournal(disk, join(folder, "journal"), manifest.through);
  const readers = createReaders(report);
  const grown = new Map(Object.entries(manifest.grown).map(([key, names]) => [key, names.flatMap(grownColumn)]));
  const positions = new Map(Object.entries(manifest.positions));
  let schemaVersion = 0;
  let generations: Generation[] = [await beginGeneration(writing, 1)];
  let failed: unknown;

  const columnsOf = (workspace: string, table: string): readonly ColumnSchema[] => {
    const known = logTable(table);
    if (known === undefined) throw logErrors.TableUnknown(`There is no table '${table}'.`);
    return [...known.columns, ...(grown.get(`${workspace}/${table}`) ?? [])];
  };

  /** Puts batches that are in the journal into memory, rows of the same table together. */
  const apply = async (entries: readonly JournalEntry[]): Promise<void> => {
    const byKey = new Map<string, StoredRow[]>();
    for (const { origin, batch } of entries) {
      if (origin !== undefined) {
        if (origin.position <= (positions.get(origin.source) ?? -1)) continue;
        positions.set(origin.source, origin.position);
      }
      for (const { workspace, table, rows } of batch) {
        growFrom(workspace, table, rows);
        const key = `${workspace}/${table}`;
        const collected = byKey.get(key);
        if (collected === undefined) byKey.set(key, [...rows]);
        else for (const row of rows) collected.push(row);
      }
    }
    for (const [key, rows] of byKey) {
      const [workspace = "", table = ""] = key.split("/");
      await generations.at(-1)?.append(writing, key, columnsOf(workspace, table), rows);
    }
  };

  const growFrom = (workspace: string, table: string, rows: readonly StoredRow[]): void => {
    if (logTable(table)?.grows !== true) return;
    const known = new Set(columnsOf(workspace, table).map(({ name }) => name));
    const names = new Set(rows.flatMap((row) => Object.keys(row)).filter((name) => !known.has(name)));
    if (names.size === 0) return;
    const key = `${workspace}/${table}`;
    grown.set(key, [...(grown.get(key) ?? []), ...[...names].flatMap(grownColumn)]);
    schemaVersion += 1;
  };

  for await (const { payload } of replay()) await apply([JSON.parse(payload.toString("utf8")) as JournalEntry]);

  // The journal and memory have one writer; sealing, compacting and retention change the manifest one at a time.
  const writer = createSerial();
  const upkeep = createSerial();
  const queue: Waiting[] = [];

  const drain = async (): Promise<void> => {
    const group = takeGroup(queue);
    if (group.length === 0) return;
    try {
      if (failed !== undefined)
        throw logErrors.LogsUnavailable("An earlier batch could not be stored.", { cause: failed });
      await journal.write(group.map(({ payload }) => payload));
    } catch (error) {
      for (const { reject } of group) reject(error);
      return;
    }
    try {
      await apply(group.map(({ entry }) => entry));
      for (const { resolve } of group) resolve();
    } catch (error) {
      // The journal has it and memory does not: only a new start makes them agree.
      failed = error;
      for (const { reject } of group) reject(error);
    }
    if (journal.size >= sealBytes && !sealWanted) {
      sealWanted = true;
      void upkeep(seal).catch(report);
    }
  };

  let draining: Promise<void> | undefined;
  const keepDraining = async (): Promise<void> => {
    while (queue.length > 0) {
      // Whoever was answered just now may have more: it goes with the next write, not with one of its own.
      await new Promise((resolve) => void setImmediate(resolve));
      await writer(drain);
    }
    draining = undefined;
  };

  let sealWanted = false;
  const seal = async (): Promise<void> => {
    const sealed = await writer(async () => {
      sealWanted = false;
      if (failed !== undefined || journal.last === manifest.through) return undefined;
      const state = {
        through: journal.last,
        positions: Object.fromEntries(positions),
        grown: grownNames(grown),
        old: generations,
      };
      const next = await beginGeneration(writing, (generations.at(-1)?.number ?? 0) + 1);
      await journal.roll();
      generations = [...generations, next];
      return state;
    });
    if (sealed === undefined) return;
    const parts: Part[] = [];
    for (const generation of sealed.old) {
      for (const [key, tables] of generation.tables) {
        const [workspace = "", table = ""] = key.split("/");
        const used = new Set(tables.flatMap(({ columns }) => [...columns]));
        const columns = columnsOf(workspace, table).filter(({ name }) => used.has(name));
        const from = unionOf(tables.map((recent) => selectFrom(recent.from, columns, recent.columns, {})));
        const names = columns.map(({ name }) => name);
        parts.push(...(await writeParts(disk, folder, sealing, { workspace, table }, from, names)));
      }
    }
    const { through, positions: taken, grown: names, old } = sealed;
    await adopt({ ...manifest, through, positions: taken, grown: names, parts: [...manifest.parts, ...parts] }, old);
    await writer(() => journal.forget(through));
  };

  /** From here on the new state counts, on disk and for queries alike. */
  const adopt = async (next: Manifest, sealed: readonly Generation[] = []): Promise<void> => {
    await writeManifest(disk, folder, next);
    const kept = new Set(next.parts.map(({ path }) => path));
    const gone = manifest.parts.filter(({ path }) => !kept.has(path));
    manifest = next;
    generations = generations.filter((generation) => !sealed.includes(generation));
    for (const generation of sealed) readers.retire(() => generation.drop(sealing));
    if (gone.length === 0) return;
    readers.retire(async () => {
      for (const { path } of gone) await disk.remove(join(folder, path));
    });
  };

  const compact = async (): Promise<void> => {
    const days = Map.groupBy(manifest.parts, ({ workspace, table, day }) => `${workspace}/${table}/${day}`);
    for (const parts of days.values()) {
      const [first] = parts;
      if (first === undefined || parts.length < compactFrom) continue;
      const columns = columnsOf(first.workspace, first.table);
      const from = unionOf(
        [...Map.groupBy(parts, (part) => part.columns.join())].map(([, alike]) =>
          selectFrom(partsSource(folder, alike), columns, new Set(alike[0]?.columns), {}),
        ),
      );
      const joined = await writeParts(
        disk,
        folder,
        sealing,
        first,
        from,
        columns.map(({ name }) => name),
      );
      await adopt({ ...manifest, parts: [...manifest.parts.filter((part) => !parts.includes(part)), ...joined] });
    }
  };

  return {
    duckdb,
    append: async (batch, origin) => {
      const now = clock.now();
      const grownBefore = new Map<string, readonly ColumnSchema[]>();
      const rows = batch.map(({ workspace, table, records }) => {
        if (!workspacePattern.test(workspace))
          throw logErrors.RecordInvalid(`'${workspace}' is not the id of a workspace.`);
        const key = `${workspace}/${table}`;
        const known = grownBefore.get(key) ?? columnsOf(workspace, table);
        const schema = logTable(table);
        if (schema === undefined) throw logErrors.TableUnknown(`There is no table '${table}'.`);
        const typed = typeRecords(schema, known, records, now);
        grownBefore.set(key, [...known, ...typed.grown]);
        return { workspace, table, rows: typed.rows };
      });
      const entry: JournalEntry = { ...(origin === undefined ? {} : { origin }), batch: rows };
      const payload = Buffer.from(JSON.stringify(entry), "utf8");
      if (payload.length > largestPayload)
        throw logErrors.RecordTooLarge(`A batch has ${payload.length} bytes; ${largestPayload} are allowed.`);
      await new Promise<void>((resolve, reject) => {
        queue.push({ entry, payload, resolve, reject });
        draining ??= keepDraining();
      });
    },
    columnsOf,
    get schemaVersion() {
      return schemaVersion;
    },
    source: (workspaces, table, slice) => {
      const columns = unionColumns(workspaces.map((workspace) => columnsOf(workspace, table)));
      const selects: string[] = [];
      for (const workspace of workspaces) {
        for (const generation of generations) {
          for (const recent of generation.tables.get(`${workspace}/${table}`) ?? [])
            selects.push(selectFrom(recent.from, columns, recent.columns, slice));
        }
        const parts = manifest.parts.filter(
          (part) => part.workspace === workspace && part.table === table && overlaps(part, slice),
        );
        for (const [, alike] of Map.groupBy(parts, (part) => part.columns.join())) {
          selects.push(selectFrom(partsSource(folder, alike), columns, new Set(alike[0]?.columns), slice));
        }
      }
      if (selects.length === 0) selects.push(`${selectFrom("(SELECT 1)", columns, new Set(), {})} WHERE false`);
      return {
        from: unionOf(selects),
        columns: new Map(columns.map((column) => [column.name, sourceColumn(column)])),
      };
    },
    enter: readers.enter,
    seal: () => upkeep(seal),
    compact: () => upkeep(compact),
    retain: (retention) =>
      upkeep(async () => {
        const now = clock.now();
        const parts = manifest.parts.filter(
          ({ workspace, table, to }) => to / 1000 >= now - daysKept(retention, workspace, table) * dayMilliseconds,
        );
        if (parts.length < manifest.parts.length) await adopt({ ...manifest, parts });
      }),
    status: () => ({ parts: manifest.parts.length, journalBytes: journal.size, generations: generations.length }),
    [Symbol.asyncDispose]: async () => {
      await draining;
      await upkeep(async () => {});
      await writer(() => journal.close());
      await readers.settled();
      writing.closeSync();
      sealing.closeSync();
      duckdb.closeSync();
    },
  };
}

const groupBytes = 8 * 1024 * 1024;

/** What goes into one write: at least one batch. */
function takeGroup(queue: Waiting[]): Waiting[] {
  let bytes = 0;
  let count = 0;
  while (count < queue.length && (count === 0 || bytes < groupBytes)) bytes += queue[count++]?.payload.length ?? 0;
  return queue.splice(0, count);
}

function unionOf(selects: readonly string[]): string {
  return `(${selects.join(" UNION ALL ")})`;
}

function selectFrom(
  from: string,
  columns: readonly ColumnSchema[],
  present: ReadonlySet<string>,
  { from: start, to: end, resource }: Slice,
): string {
  const list = columns.map(({ name, type }) =>
    present.has(name) ? quoteName(name) : `NULL::${physicalType(type).sql} AS ${quoteName(name)}`,
  );
  const bounds = [
    ...(start === undefined ? [] : [`TimeGenerated >= make_timestamp(${start * 1000})`]),
    ...(end === undefined ? [] : [`TimeGenerated < make_timestamp(${end * 1000})`]),
    ...(resource === undefined
      ? []
      : [`(_ResourceId = ${quoteText(resource)} OR starts_with(_ResourceId, ${quoteText(`${resource}/`)}))`]),
  ];
  return `SELECT ${list.join(", ")} FROM ${from}${bounds.length === 0 ? "" : ` WHERE ${bounds.join(" AND ")}`}`;
}

function overlaps(part: Part, { from, to }: TimeRange): boolean {
  return (from === undefined || part.to >= from * 1000) && (to === undefined || part.from < to * 1000);
}

function unionColumns(lists: readonly (readonly ColumnSchema[])[]): ColumnSchema[] {
  return [...new Map(lists.flat().map((column) => [column.name, column])).values()];
}

function grownColumn(name: string): ColumnSchema[] {
  const type = suffixType(name);
  return type === undefined ? [] : [{ name, type }];
}

function grownNames(grown: ReadonlyMap<string, readonly ColumnSchema[]>): Record<string, string[]> {
  return Object.fromEntries([...grown].map(([key, columns]) => [key, columns.map(({ name }) => name)]));
}

/** Files that a crash left before a manifest named them, or after it no longer did. */
async function removeUnnamed(disk: FileSystem, folder: string, manifest: Manifest): Promise<void> {
  const named = new Set(manifest.parts.map(({ path }) => path));
  for (const path of await findFiles(["parquet/**/*.parquet"], folder)) {
    if (!named.has(path)) await disk.remove(join(folder, path));
  }
}
