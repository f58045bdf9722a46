// The schema file of offline queries: tables, their columns, and the file behind each.

import { dirname, resolve } from "node:path";
import { z } from "zod";
import { defineErrors } from "../../lib/errors.ts";
import { disk } from "../../lib/files.ts";
import type { SourceColumn, TableSource } from "../duckdb/context.ts";
import { quoteName, quoteText } from "../duckdb/sql.ts";
import { typeNamed, type ColumnSchema, type DatabaseSchema, type ScalarType } from "../types.ts";

const errors = defineErrors({ SchemaFileInvalid: { status: 400, remedy: "docs/kql.md describes the file." } });

const shape = z.strictObject({
  database: z.string().optional(),
  tables: z.record(
    z.string(),
    z.strictObject({
      file: z.string().min(1),
      format: z.enum(["ndjson", "csv", "parquet"]).optional(),
      columns: z.record(z.string(), z.string()),
    }),
  ),
  functions: z.record(z.string(), z.strictObject({ parameters: z.string().optional(), body: z.string() })).optional(),
});

type Format = "ndjson" | "csv" | "parquet";

export interface OfflineSchema {
  readonly database: DatabaseSchema;
  readonly sources: ReadonlyMap<string, TableSource>;
  /** Folders that must be readable. */
  readonly folders: readonly string[];
}

export const emptySchema: OfflineSchema = {
  database: { name: "offline", tables: [], functions: [] },
  sources: new Map(),
  folders: [],
};

export async function readSchema(path: string): Promise<OfflineSchema> {
  const text = (await disk.read(path)).toString("utf8");
  const parsed = shape.safeParse(parseJson(text, path));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw errors.SchemaFileInvalid(`${path}: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "is not valid"}.`);
  }
  const folder = dirname(path);
  const sources = new Map<string, TableSource>();
  const folders = new Set<string>();
  const tables = Object.entries(parsed.data.tables).map(([name, table]) => {
    const file = resolve(folder, table.file);
    const columns = Object.entries(table.columns).map(([column, type]) => columnOf(path, name, column, type));
    folders.add(dirname(file));
    sources.set(name, sourceOf(file, table.format ?? formatOf(path, name, file), columns));
    return { name, columns };
  });
  const functions = Object.entries(parsed.data.functions ?? {}).map(([name, { parameters = "", body }]) => ({
    name,
    parameters,
    body,
  }));
  return { database: { name: parsed.data.database ?? "offline", tables, functions }, sources, folders: [...folders] };
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw errors.SchemaFileInvalid(`${path}: is not JSON.`, { cause });
  }
}

function columnOf(path: string, table: string, name: string, typeName: string): ColumnSchema {
  const type = typeNamed(typeName);
  if (type === undefined) throw errors.SchemaFileInvalid(`${path}: ${table}.${name}: there is no type '${typeName}'.`);
  return { name, type };
}

function formatOf(path: string, table: string, file: string): Format {
  if (/\.(ndjson|jsonl|json)(\.gz)?$/i.test(file)) return "ndjson";
  if (/\.csv(\.gz)?$/i.test(file)) return "csv";
  if (/\.parquet$/i.test(file)) return "parquet";
  throw errors.SchemaFileInvalid(`${path}: ${table}: the file name tells no format; add "format".`);
}

/** How each type stands in text files. */
const textTypes: Readonly<Record<ScalarType, string>> = {
  bool: "BOOLEAN",
  int: "INTEGER",
  long: "BIGINT",
  real: "DOUBLE",
  decimal: "DECIMAL(38,18)",
  string: "VARCHAR",
  datetime: "TIMESTAMP",
  timespan: "VARCHAR",
  guid: "VARCHAR",
  dynamic: "JSON",
};

function sourceOf(file: string, format: Format, columns: readonly ColumnSchema[]): TableSource {
  const types = columns.map(({ name, type }) => `${quoteText(name)}: ${quoteText(textTypes[type])}`).join(", ");
  const from =
    format === "parquet"
      ? `read_parquet(${quoteText(file)})`
      : format === "csv"
        ? `read_csv(${quoteText(file)}, header = true, columns = {${types}})`
        : `read_json(${quoteText(file)}, format = 'newline_delimited', columns = {${types}})`;
  const found = new Map(
    columns.map(({ name, type }): readonly [string, SourceColumn] => [
      name,
      { sql: stored(quoteName(name), type, format), timestamp: type === "datetime" },
    ]),
  );
  return { from, columns: found };
}

/** Timespans are texts in files; ticks in the engine. */
function stored(name: string, type: ScalarType, format: Format): string {
  if (type === "guid") return `lower(${name}::VARCHAR)`;
  if (type === "dynamic" && format === "parquet") return `${name}::JSON`;
  if (type !== "timespan") return name;
  const interval = `try_cast(regexp_replace(${name}::VARCHAR, '^(-?)(\\d+)\\.(\\d+:)', '\\1\\2 days \\1\\3') AS INTERVAL)`;
  return `(epoch_us(TIMESTAMP '2000-01-01' + ${interval}) - epoch_us(TIMESTAMP '2000-01-01')) * 10`;
}
