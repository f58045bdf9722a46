// How columns lie in DuckDB and Parquet, and how the query engine reads them there.

import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  DuckDBTimestampValue,
  INTEGER,
  TIMESTAMP,
  VARCHAR,
  type DuckDBType,
  type DuckDBValue,
} from "@duckdb/node-api";
import { quoteName, type ColumnSchema, type ScalarType, type SourceColumn } from "../../kql/index.ts";
import type { StoredValue } from "../records.ts";

const types: Partial<Record<ScalarType, { readonly sql: string; readonly type: DuckDBType }>> = {
  bool: { sql: "BOOLEAN", type: BOOLEAN },
  int: { sql: "INTEGER", type: INTEGER },
  long: { sql: "BIGINT", type: BIGINT },
  real: { sql: "DOUBLE", type: DOUBLE },
  datetime: { sql: "TIMESTAMP", type: TIMESTAMP },
};

const text = { sql: "VARCHAR", type: VARCHAR };

export function physicalType(type: ScalarType): { readonly sql: string; readonly type: DuckDBType } {
  return types[type] ?? text;
}

export function physicalValue(type: ScalarType, value: StoredValue | undefined): DuckDBValue {
  if (value === undefined) return null;
  if (type === "datetime") return new DuckDBTimestampValue(BigInt(value));
  if (type === "long") return BigInt(value);
  return value;
}

export function sourceColumn({ name, type }: ColumnSchema): SourceColumn {
  if (type === "dynamic") return { sql: `${quoteName(name)}::JSON` };
  return { sql: quoteName(name), timestamp: type === "datetime" };
}
