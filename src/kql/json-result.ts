// Values as JSON shows them: times as ISO texts, 64-bit numbers beyond 2^53 and non-finite reals as
// texts, dynamic values as the JSON that they are.

import type { Value } from "./engine.ts";
import type { ScalarType } from "./types.ts";
import { parseDynamic, type Dynamic } from "./values/dynamic.ts";
import { formatDatetime, formatTimespan } from "./values/ticks.ts";

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

export function toJsonValue(value: Value, type: ScalarType): JsonValue {
  if (value === null) return null;
  switch (type) {
    case "datetime":
      return typeof value === "bigint" ? formatDatetime(value) : String(value);
    case "timespan":
      return typeof value === "bigint" ? formatTimespan(value) : String(value);
    case "dynamic":
      return plainJson(parseDynamic(String(value)) ?? null);
    case "decimal":
      return Number(value);
    case "bool":
      return value === true;
    default:
      return typeof value === "string" ? value : plainJson(value);
  }
}

function plainJson(value: Dynamic): JsonValue {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === "number")
    return Number.isFinite(value) ? value : Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
  if (Array.isArray(value)) return value.map(plainJson);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plainJson(item)]));
  return value;
}
