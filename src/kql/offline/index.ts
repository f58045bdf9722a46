// Queries without a server: over files, or over nothing but what the query itself holds.

import type { Clock } from "../../lib/clock.ts";
import { HoldfastError } from "../../lib/errors.ts";
import { openDuckDb } from "../duckdb/open.ts";
import { createEngine, type Engine, type Value } from "../engine.ts";
import { positionIn, semantic, type Position } from "../errors.ts";
import { toJsonValue, type JsonValue } from "../json-result.ts";
import type { ScalarType } from "../types.ts";
import { emptySchema, readSchema } from "./schema.ts";

export interface OfflineOptions {
  readonly schemaFile: string | undefined;
  readonly memoryLimitMiB: number;
  readonly clock: Clock;
}

export interface Offline extends AsyncDisposable {
  readonly engine: Engine;
  /** The result of a query as lines: JSON, or a table for people. */
  print(text: string, json: boolean): AsyncGenerator<string>;
}

export async function openOffline(options: OfflineOptions): Promise<Offline> {
  const schema = options.schemaFile === undefined ? emptySchema : await readSchema(options.schemaFile);
  const duckdb = await openDuckDb({ memoryLimitMiB: options.memoryLimitMiB, readable: schema.folders });
  const databases = [schema.database];
  const engine = createEngine({
    duckdb,
    clock: options.clock,
    catalog: {
      databases: () => Promise.resolve(databases),
      source: (_database, table) => {
        const found = schema.sources.get(table);
        if (found === undefined) throw semantic(`There is no table '${table}'.`);
        return found;
      },
    },
  });
  return {
    engine,
    async *print(text, json) {
      if (json) yield JSON.stringify(withoutName(await runCase(engine, { name: "", query: text })));
      else yield* readableTable(engine, text);
    },
    [Symbol.asyncDispose]: async () => {
      await engine[Symbol.asyncDispose]();
      duckdb.closeSync();
    },
  };
}

export interface QueryCase {
  readonly name: string;
  readonly query: string;
}

export type CaseAnswer =
  | {
      readonly name: string;
      readonly ok: true;
      readonly columns: readonly { readonly name: string; readonly type: ScalarType }[];
      readonly rows: readonly (readonly JsonValue[])[];
    }
  | {
      readonly name: string;
      readonly ok: false;
      readonly error: { readonly code: string; readonly message: string; readonly position: Position | null };
    };

export async function* runCases(engine: Engine, cases: readonly QueryCase[]): AsyncGenerator<CaseAnswer> {
  for (const item of cases) yield await runCase(engine, item);
}

/** Of several results the last one counts. */
async function runCase(engine: Engine, { name, query }: QueryCase): Promise<CaseAnswer> {
  try {
    const result = await engine.query(query);
    if (result.partial !== undefined) throw result.partial;
    const table = result.tables.at(-1);
    const columns = table?.columns ?? [];
    const rows = (table?.rows ?? []).map((row) =>
      columns.map(({ type }, index) => toJsonValue(row[index] ?? null, type)),
    );
    return { name, ok: true, columns, rows };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const position = positionIn(error) ?? null;
    return { name, ok: false, error: { code: error.code, message: error.sentence, position } };
  }
}

function withoutName(answer: CaseAnswer): Omit<CaseAnswer, "name"> {
  const { name: _name, ...rest } = answer;
  return rest;
}

async function* readableTable(engine: Engine, text: string): AsyncGenerator<string> {
  const { tables, partial } = await engine.query(text);
  for (const table of tables) {
    const cells = table.rows.map((row) => table.columns.map(({ type }, index) => cell(row[index] ?? null, type)));
    const widths = table.columns.map(({ name }, index) =>
      Math.min(60, Math.max(name.length, ...cells.map((row) => row[index]?.length ?? 0))),
    );
    const line = (values: readonly string[]): string =>
      values
        .map((value, index) => value.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd();
    yield line(table.columns.map(({ name }) => name));
    yield line(widths.map((width) => "-".repeat(width)));
    for (const row of cells) yield line(row);
  }
  if (partial !== undefined) yield `(${partial.message})`;
}

function cell(value: Value, type: ScalarType): string {
  const shown = toJsonValue(value, type);
  return typeof shown === "string" ? shown : JSON.stringify(shown);
}
