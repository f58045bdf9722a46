// What runtime functions take and give: text, bigint (long, datetime and timespan in ticks), number
// (real), boolean, Dynamic; null is null. Decimals travel as text.

import type { Dynamic } from "../values/dynamic.ts";

export type RuntimeValue = Dynamic;

export type RuntimeFunction = (args: readonly RuntimeValue[]) => RuntimeValue;

export const text = (value: RuntimeValue | undefined): string => (typeof value === "string" ? value : "");

/** Positions count code points, as KQL does. */
export const points = (value: string): string[] => [...value];

export const integer = (value: RuntimeValue | undefined, absent = 0): number =>
  typeof value === "bigint" || typeof value === "number" ? Number(value) : absent;

export const list = (value: RuntimeValue | undefined): Dynamic[] | undefined =>
  Array.isArray(value) ? value : undefined;

export const bag = (value: RuntimeValue | undefined): Map<string, Dynamic> | undefined =>
  value instanceof Map ? value : undefined;
