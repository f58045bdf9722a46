// A piece of SQL with what KQL must know about it. Names of the user never become SQL: columns are
// called c1, c2, …; texts are quoted here and nowhere else.

import type { ScalarType } from "../types.ts";

export interface Sql {
  readonly text: string;
  readonly type: ScalarType;
  /** datetime: a TIMESTAMP of the storage, or ticks as BIGINT. */
  readonly timestamp: boolean;
  /** string: NULL may stand for the empty string. */
  readonly nullable: boolean;
  /** Known to be there in every row. */
  readonly present?: boolean;
  /** A path into a JSON value that was not walked yet: the whole way is one call. */
  readonly path?: { readonly base: string; readonly steps: string };
  /** The value of a literal, where functions can prepare for it. */
  readonly constant?: string | bigint | number | boolean | null;
}

export function sql(type: ScalarType, text: string, more: Partial<Sql> = {}): Sql {
  return { text, type, timestamp: false, nullable: false, ...more };
}

export function quoteText(text: string): string {
  const pieces = text.split("\0").map((piece) => `'${piece.replaceAll("'", "''")}'`);
  return pieces.length === 1 ? (pieces[0] ?? "''") : `(${pieces.join(" || chr(0) || ")})`;
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export const columnName = (id: number): string => `c${id}`;

/** Ticks at 1970-01-01 and the microseconds of them. */
export const epochMicroseconds = 62_135_596_800_000_000n;

/** A datetime as ticks. */
export function ticks(value: Sql): string {
  return value.timestamp ? `((epoch_us(${value.text}) + ${epochMicroseconds}) * 10)` : value.text;
}

/** A datetime as TIMESTAMP; the tenth of a microsecond is lost. */
export function timestamp(value: Sql): string {
  return value.timestamp ? value.text : `make_timestamp(${value.text} // 10 - ${epochMicroseconds})`;
}

/** The value with NULL of strings made empty and datetimes as ticks: what functions work on. */
export function plain(value: Sql): string {
  if (value.type === "string") return value.nullable ? `coalesce(${value.text}, '')` : value.text;
  return value.type === "datetime" ? ticks(value) : value.text;
}

export const physicalTypes: Readonly<Record<ScalarType, string>> = {
  bool: "BOOLEAN",
  int: "INTEGER",
  long: "BIGINT",
  real: "DOUBLE",
  decimal: "DECIMAL(38,18)",
  string: "VARCHAR",
  datetime: "BIGINT",
  timespan: "BIGINT",
  guid: "VARCHAR",
  dynamic: "JSON",
};

export function literalSql(type: ScalarType, value: string | bigint | number | boolean | null): Sql {
  const constant = value;
  if (value === null) {
    return type === "string"
      ? sql(type, "''", { constant: "" })
      : sql(type, `NULL::${physicalTypes[type]}`, { constant });
  }
  switch (type) {
    case "bool":
      return sql(type, value === true ? "true" : "false", { constant });
    case "real":
      return sql(type, realText(Number(value)), { constant });
    case "decimal":
      return sql(type, `${quoteText(String(value))}::DECIMAL(38,18)`, { constant });
    case "dynamic":
      return sql(type, `${quoteText(String(value))}::JSON`, { constant });
    case "string":
    case "guid":
      return sql(type, quoteText(String(value)), { constant });
    default:
      return sql(type, integerText(BigInt(value)), { constant });
  }
}

function integerText(value: bigint): string {
  if (value === -9_223_372_036_854_775_808n) return "(-9223372036854775807::BIGINT - 1)";
  return value < 0n ? `(${value})::BIGINT` : `${value}::BIGINT`;
}

function realText(value: number): string {
  if (Number.isNaN(value)) return "'nan'::DOUBLE";
  if (!Number.isFinite(value)) return value > 0 ? "'inf'::DOUBLE" : "'-inf'::DOUBLE";
  return `${quoteText(String(value))}::DOUBLE`;
}
