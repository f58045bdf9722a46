// Whether an answer is the recorded one: numbers to 15 digits, trailing zeros of times aside, and
// rows as a multiset where the query gives no order.

import type { JsonValue } from "../json-result.ts";

export function sameValue(expected: JsonValue, got: JsonValue): boolean {
  if ((expected === null || expected === "") && (got === null || got === "")) return true;
  if (typeof expected === "number" && typeof got === "number") {
    return expected === got || Math.abs(expected - got) <= 1e-9 * Math.max(Math.abs(expected), Math.abs(got));
  }
  if (typeof expected === "string" && typeof got === "string") return withoutZeros(expected) === withoutZeros(got);
  if (Array.isArray(expected) && Array.isArray(got)) {
    return expected.length === got.length && expected.every((item, index) => sameValue(item, got[index]));
  }
  if (isObject(expected) && isObject(got)) {
    const keys = Object.keys(expected);
    return (
      keys.length === Object.keys(got).length &&
      keys.every((key) => key in got && sameValue(expected[key] ?? null, got[key] ?? null))
    );
  }
  return expected === got;
}

export function sameRows(
  expected: readonly (readonly JsonValue[])[],
  got: readonly (readonly JsonValue[])[],
  ordered: boolean,
): boolean {
  if (expected.length !== got.length) return false;
  if (ordered) return expected.every((row, index) => sameValue(row, got[index] ?? null));
  const left = [...got];
  return expected.every((row) => {
    const at = left.findIndex((candidate) => sameValue(row, candidate));
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}

function isObject(value: JsonValue): value is { readonly [key: string]: JsonValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function withoutZeros(text: string): string {
  if (!/^\d{4}-\d\d-\d\dT.*Z$/.test(text)) return text;
  return text.replace(/(\.\d*?)0*Z$/, (_, fraction: string) => `${fraction === "." ? "" : fraction}Z`);
}
