// How columns lie in DuckDB and Parquet, and how the query engine reads them there.

import { quoteName, type ColumnSchema, type ScalarType, type SourceColumn } from "../../kql/index.ts";

const types: Partial<Record<ScalarType, string>> = {
  bool: "BOOLEAN",
  int: "INTEGER",
  long: "BIGINT",
  real: "DOUBLE",
  datetime: "TIMESTAMP",
};

export function physicalType(type: ScalarType): string {
  return types[type] ?? "VARCHAR";
}

export function sourceColumn({ name, type }: ColumnSchema): SourceColumn {
  if (type === "dynamic") return { sql: `${quoteName(name)}::JSON` };
  return {
    sql: quoteName(name),
    timestamp: type === "datetime",
    notNull: type === "string" || name === "TimeGenerated",
  };
}

/** What stands for the value of a column that a row does not have. */
export function absentValue(type: ScalarType): string {
  return type === "string" ? "''" : `NULL::${physicalType(type)}`;
}
