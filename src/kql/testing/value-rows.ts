// Rows with texts, times and dynamic values, and the small steps that a naive evaluator takes over them.

import fc from "fast-check";
import type { JsonValue } from "../json-result.ts";

/** `t` counts minutes from 2020-01-01. */
export interface Row {
  readonly a: number | null;
  readonly b: number | null;
  readonly s: string;
  readonly t: number | null;
  readonly d: JsonValue;
}

export interface Step {
  readonly text: string;
  readonly apply: (rows: readonly Row[]) => readonly Row[];
}

export const nothing: Row = { a: null, b: null, s: "", t: null, d: null };
const number = fc.option(fc.integer({ min: -3, max: 4 }), { nil: null, freq: 4 });
const item = fc.oneof(fc.integer({ min: -2, max: 3 }), fc.constantFrom("x", "5", "y z"));
export const rowOf: fc.Arbitrary<Row> = fc.record({
  a: number,
  b: number,
  s: fc.constantFrom("", "x", "X", "xy", "a b", "ä", "x y z", "b-c"),
  t: fc.option(fc.integer({ min: -20_000, max: 60_000 }), { nil: null, freq: 5 }),
  d: fc.oneof(
    fc.array(item, { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("k", "m"), item, { maxKeys: 2 }),
    fc.constantFrom<JsonValue>(null, 7, "text"),
  ) as fc.Arbitrary<JsonValue>,
});

const minutesBefore2020 = 737_424 * 1440;
export const binTo = (minute: number | null, size: number): number | null =>
  minute === null ? null : Math.floor((minutesBefore2020 + minute) / size) * size - minutesBefore2020;
export const dateOf = (minute: number): Date => new Date(Date.UTC(2020, 0, 1) + minute * 60_000);
export const minuteOf = (date: number): number => (date - Date.UTC(2020, 0, 1)) / 60_000;
export const terms = (text: string): string[] =>
  text
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((term) => term !== "");
export const asText = (value: JsonValue): string =>
  value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);
export const asLong = (value: JsonValue | undefined): number | null =>
  typeof value === "number" ? value : typeof value === "string" && /^-?\d+$/.test(value) ? Number(value) : null;
export const isBag = (value: JsonValue): value is { readonly [key: string]: JsonValue } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const memberOf = (value: JsonValue, key: string): JsonValue => (isBag(value) ? (value[key] ?? null) : null);
export const elementOf = (value: JsonValue, at: number): JsonValue =>
  Array.isArray(value) ? ((value.at(at) as JsonValue | undefined) ?? null) : null;

export const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

export const each = (text: string, change: (row: Row) => Partial<Row>): Step => ({
  text: `extend ${text}`,
  apply: (rows) => rows.map((row) => ({ ...row, ...change(row) })),
});

export const where = (text: string, holds: (row: Row) => boolean): Step => ({
  text: `where ${text}`,
  apply: (rows) => rows.filter(holds),
});

export function tableText(rows: readonly Row[]): string {
  const values = rows.map(({ a, b, s, t, d }) => [
    `long(${a})`,
    `long(${b})`,
    JSON.stringify(s),
    t === null ? "datetime(null)" : `datetime(${dateOf(t).toISOString()})`,
    `dynamic(${JSON.stringify(d)})`,
  ]);
  return `datatable(a:long, b:long, s:string, t:datetime, d:dynamic)[${values.map((row) => row.join(", ")).join(", ")}]`;
}
