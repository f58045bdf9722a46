// Records as they come in become rows: checked against the table's columns, times as microseconds,
// dynamic values as JSON text.

import type { ColumnSchema, ScalarType } from "../../kql/index.ts";
import { logErrors } from "../errors.ts";
import { columnLimit, suffixType } from "../schema/azure-diagnostics.ts";
import type { LogTable } from "../schema/log-table.ts";
import { closeColumn, openColumn, setValue, type ColumnText, type OpenColumn, type StoredValue } from "./row-block.ts";

/** What a part of the service writes: values by column; what is left out is null. */
export type LogRecord = Readonly<Record<string, unknown>>;

const largestRecord = 1024 * 1024;
const farthestAhead = 86_400_000;

export interface Typed {
  readonly columns: readonly ColumnText[];
  /** Columns that these rows bring into the table. */
  readonly grown: readonly ColumnSchema[];
}

export function typeRecords(
  table: LogTable,
  known: readonly ColumnSchema[],
  records: readonly LogRecord[],
  now: number,
): Typed {
  const types = new Map(known.map(({ name, type }) => [name, type]));
  const grown: ColumnSchema[] = [];
  const columns = new Map<string, OpenColumn>();
  const begin = (name: string, type: ScalarType): OpenColumn => {
    const column = openColumn(name, type);
    columns.set(name, column);
    return column;
  };
  const times = begin("TimeGenerated", "datetime");
  const kind = types.has("Type") ? begin("Type", "string") : undefined;

  /** Undefined for a value that has no column of its own any more. */
  const newColumn = (name: string): OpenColumn | undefined => {
    let type = types.get(name);
    if (type === undefined && table.grows === true) {
      type = suffixType(name);
      if (type !== undefined) {
        if (types.size >= columnLimit) return undefined;
        types.set(name, type);
        grown.push({ name, type });
      }
    }
    if (type === undefined)
      throw logErrors.RecordInvalid(`The table ${table.name} has no column '${name}'.`, { target: name });
    return begin(name, type);
  };

  // Most records have the same fields in the same order as the one before.
  const before: OpenColumn[] = [];
  for (const [row, record] of records.entries()) {
    let additional: Record<string, unknown> | undefined;
    let size = 0;
    let at = Infinity;
    let place = 0;
    for (const name in record) {
      const value = record[name];
      if (value === null || value === undefined) continue;
      let column = before[place];
      if (column === undefined || column.name !== name) {
        column = columns.get(name) ?? newColumn(name);
        if (column === undefined) {
          additional = { ...additional, [name.slice(0, -2)]: value };
          continue;
        }
        before[place] = column;
      }
      place += 1;
      const stored = toStored(table.name, column, value);
      size += typeof stored === "string" ? stored.length : 8;
      if (column === times) at = stored as number;
      else if (column !== kind) setValue(column, row, stored);
    }
    if (additional !== undefined) {
      const text = JSON.stringify(additional);
      size += text.length;
      setValue(columns.get("AdditionalFields") ?? begin("AdditionalFields", "dynamic"), row, text);
    }
    if (size > largestRecord) {
      throw logErrors.RecordTooLarge(
        `A record for ${table.name} has ${size} characters; ${largestRecord} are allowed.`,
      );
    }
    // A clock that is wrong by days must not hide its records from every query that looks back.
    setValue(times, row, at > (now + farthestAhead) * 1000 ? now * 1000 : at);
    if (kind !== undefined) setValue(kind, row, table.name);
  }
  return { columns: [...columns.values()].map((column) => closeColumn(column, records.length)), grown };
}

function toStored(table: string, { name, type }: OpenColumn, value: unknown): StoredValue {
  switch (type) {
    case "string":
      if (typeof value === "string") return value;
      if (typeof value === "number" || typeof value === "boolean") return String(value);
      throw refusal(table, name, type, value);
    case "guid":
      if (typeof value === "string" && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value))
        return value.toLowerCase();
      throw refusal(table, name, type, value);
    case "bool":
      if (typeof value === "boolean") return value;
      throw refusal(table, name, type, value);
    case "int":
    case "long":
      if (typeof value === "number" && Number.isSafeInteger(value) && (type === "long" || value === (value | 0)))
        return value;
      throw refusal(table, name, type, value);
    case "real":
      if (typeof value === "number" && Number.isFinite(value)) return value;
      throw refusal(table, name, type, value);
    case "datetime": {
      const at = typeof value === "number" ? value : typeof value === "string" ? Date.parse(value) : Number.NaN;
      if (Math.abs(at) <= 8_640_000_000_000) return Math.round(at * 1000);
      throw refusal(table, name, type, value);
    }
    case "dynamic":
      return typeof value === "string" ? value : JSON.stringify(value);
    default:
      throw refusal(table, name, type, value);
  }
}

function refusal(table: string, column: string, type: ScalarType, value: unknown): Error {
  return logErrors.RecordInvalid(
    `${table}.${column} is of type ${type}; ${JSON.stringify(value)?.slice(0, 100)} is not.`,
    { target: column },
  );
}
