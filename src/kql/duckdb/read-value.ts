// A value of DuckDB as the engine gives it to its callers.

import type { DuckDBValue } from "@duckdb/node-api";
import type { Value } from "../engine.ts";
import { epochMicroseconds } from "./sql.ts";
import type { Statement } from "./statement.ts";

export function readValue(value: DuckDBValue | undefined, column: Statement["columns"][number] | undefined): Value {
  if (value === null || value === undefined) return column?.type === "string" ? "" : null;
  if (column?.timestamp === true) return storedTicks(value);
  if (column?.type === "int" && typeof value === "number") return BigInt(value);
  if (column?.type === "long" && typeof value === "number") return BigInt(value);
  if (typeof value === "object") return String(value);
  return value;
}

function storedTicks(value: DuckDBValue): bigint | null {
  if (typeof value !== "object" || value === null || !("micros" in value) || typeof value.micros !== "bigint")
    return null;
  return (value.micros + epochMicroseconds) * 10n;
}
