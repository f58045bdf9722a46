// Sealing, joining and dropping. The rows of a generation become Parquet, a manifest names the files,
// and only then do the journal's segments and the rows in memory go. Whatever moment a crash chooses,
// each batch is either in a file that the manifest names or in the journal behind it. Callers see to
// it that only one of these runs at a time.

import type { DuckDBConnection } from "@duckdb/node-api";
import { join } from "node:path";
import type { FileSystem } from "../../lib/files.ts";
import type { Journal } from "../journal/journal.ts";
import type { Intake } from "./intake.ts";
import { writeManifest, type Manifest, type Part } from "./manifest.ts";
import { writeParts } from "./parts.ts";
import type { Readers } from "./readers.ts";
import { beginGeneration, type Generation } from "./recent.ts";
import { daysKept, type Retention } from "./retention.ts";
import { partSelects, recentSelects, unionOf } from "./sources.ts";
import type { StoreState } from "./state.ts";
import type { UsageCounts } from "./usage.ts";

export interface Upkeep {
  /** Moves what is in memory to Parquet. */
  seal(): Promise<void>;
  /** Joins the files of days that have at least `from` of them. */
  compact(from: number): Promise<void>;
  /** Drops whole days that have passed their table's retention. */
  retain(retention: Retention, now: number): Promise<void>;
}

export interface UpkeepParts {
  readonly state: StoreState;
  readonly folder: string;
  readonly disk: FileSystem;
  readonly journal: Journal;
  readonly intake: Intake;
  readonly readers: Readers;
  /** The connection of the intake, and one of upkeep's own. */
  readonly writing: DuckDBConnection;
  readonly sealing: DuckDBConnection;
}

const dayMilliseconds = 86_400_000;

export function createUpkeep(parts: UpkeepParts): Upkeep {
  const { state, folder, disk, journal, intake, readers, writing, sealing } = parts;

  /** From here on the new state counts, on disk and for queries alike. */
  const adopt = async (next: Manifest, sealed: readonly Generation[] = []): Promise<void> => {
    await writeManifest(disk, folder, next);
    const kept = new Set(next.parts.map(({ path }) => path));
    const gone = state.manifest.parts.filter(({ path }) => !kept.has(path));
    state.manifest = next;
    state.generations = state.generations.filter((generation) => !sealed.includes(generation));
    for (const generation of sealed) readers.retire(() => generation.drop(sealing));
    if (gone.length === 0) return;
    readers.retire(async () => {
      for (const { path } of gone) await disk.remove(join(folder, path));
    });
  };

  /** What is in memory now, with a new generation for what comes. */
  const turn = (): Promise<Turned | undefined> =>
    intake.still(async () => {
      if (intake.hasFailed || journal.last === state.manifest.through) return undefined;
      const old = state.generations;
      const turned = {
        old,
        through: journal.last,
        positions: Object.fromEntries(state.positions),
        grown: state.columns.grown(),
        usage: state.usage.counts(),
      };
      const next = await beginGeneration(writing, (old.at(-1)?.number ?? 0) + 1);
      await journal.roll();
      state.generations = [...old, next];
      return turned;
    });

  const writeGeneration = async ({ tables: byKey }: Generation): Promise<Part[]> => {
    const written: Part[] = [];
    for (const [key, tables] of byKey) {
      const [workspace = "", table = ""] = key.split("/");
      const used = new Set(tables.flatMap(({ columns }) => [...columns]));
      const columns = state.columns.of(workspace, table).filter(({ name }) => used.has(name));
      const names = columns.map(({ name }) => name);
      const from = unionOf(recentSelects(tables, columns));
      written.push(...(await writeParts(disk, folder, sealing, { workspace, table }, from, names)));
    }
    return written;
  };

  return {
    seal: async () => {
      const turned = await turn();
      if (turned === undefined) return;
      const { old, through, positions, grown, usage } = turned;
      const written: Part[] = [];
      for (const generation of old) written.push(...(await writeGeneration(generation)));
      const all = [...state.manifest.parts, ...written];
      await adopt({ ...state.manifest, through, positions, grown, usage, parts: all }, old);
      await intake.still(() => journal.forget(through));
    },
    compact: async (from) => {
      const days = Map.groupBy(state.manifest.parts, ({ workspace, table, day }) => `${workspace}/${table}/${day}`);
      for (const day of days.values()) {
        const [first] = day;
        if (first === undefined || day.length < from) continue;
        const columns = state.columns.of(first.workspace, first.table);
        const names = columns.map(({ name }) => name);
        const source = unionOf(partSelects(folder, day, columns));
        const joined = await writeParts(disk, folder, sealing, first, source, names);
        const others = state.manifest.parts.filter((part) => !day.includes(part));
        await adopt({ ...state.manifest, parts: [...others, ...joined] });
      }
    },
    retain: async (retention, now) => {
      const kept = state.manifest.parts.filter(
        ({ workspace, table, to }) => to / 1000 >= now - daysKept(retention, workspace, table) * dayMilliseconds,
      );
      if (kept.length < state.manifest.parts.length) await adopt({ ...state.manifest, parts: kept });
    },
  };
}

interface Turned {
  readonly old: readonly Generation[];
  readonly through: number;
  readonly positions: Record<string, number>;
  readonly grown: Record<string, string[]>;
  readonly usage: UsageCounts;
}
