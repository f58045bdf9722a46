// The values of a walk: whole numbers, times and spans are bigint, reals are number, the rest is text.
// Decimals and dynamic values are carried as they came; nothing is computed with them.

import type { ScalarType } from "../../types.ts";
import type { Passed } from "./program.ts";

export type WalkValue = null | boolean | bigint | number | string;

export function fromText(type: ScalarType, text: Passed): WalkValue {
  if (text === null) return type === "string" ? "" : null;
  switch (type) {
    case "bool":
      return text === "true";
    case "int":
    case "long":
    case "datetime":
    case "timespan":
      return BigInt(text);
    case "real":
      return realOf(text);
    default:
      return text;
  }
}

function realOf(text: string): number {
  if (text.endsWith("nan")) return Number.NaN;
  if (text.endsWith("inf")) return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return Number(text);
}

/** The text that DuckDB and others read back to the same value. */
export function toText(value: WalkValue): Passed {
  if (typeof value !== "number") return value === null ? null : String(value);
  if (Number.isFinite(value)) return Object.is(value, -0) ? "-0.0" : String(value);
  return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

/** Before, at or after; texts go by their bytes in UTF-8. */
export function compare(left: WalkValue, right: WalkValue): number {
  if (typeof left === "string" && typeof right === "string") {
    return left === right ? 0 : Buffer.compare(Buffer.from(left), Buffer.from(right));
  }
  if (left === null || right === null || left === right) return 0;
  return left < right ? -1 : 1;
}
