// The timespan of a query: `PT12H` (up to now), `start/end`, `start/duration`, `duration/end`.

import type { TimeRange } from "../store/sources.ts";

/** Undefined when the text is no timespan. */
export function parseTimespan(text: string, now: number): TimeRange | undefined {
  const [first = "", second, ...more] = text.trim().split("/");
  if (more.length > 0) return undefined;
  const length = duration(first);
  if (second === undefined) return length === undefined ? undefined : { from: now - length };
  const end = time(second);
  if (length !== undefined) return end === undefined ? undefined : { from: end - length, to: end };
  const start = time(first);
  if (start === undefined) return undefined;
  const after = duration(second);
  if (after !== undefined) return { from: start, to: start + after };
  return end === undefined ? undefined : { from: start, to: end };
}

/** What lies in both. */
export function intersect(a: TimeRange, b: TimeRange): TimeRange {
  const from = Math.max(a.from ?? -Infinity, b.from ?? -Infinity);
  const to = Math.min(a.to ?? Infinity, b.to ?? Infinity);
  return { ...(Number.isFinite(from) ? { from } : {}), ...(Number.isFinite(to) ? { to } : {}) };
}

const units = [604_800_000, 86_400_000, 3_600_000, 60_000, 1000];

function duration(text: string): number | undefined {
  const match = /^P(?!$)(?:(\d+)W)?(?:(\d+(?:\.\d+)?)D)?(?:T(?!$)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i.exec(
    text,
  );
  if (match === null) return undefined;
  return Math.round(units.reduce((sum, unit, index) => sum + Number(match[index + 1] ?? 0) * unit, 0));
}

function time(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}/.test(text)) return undefined;
  const at = Date.parse(/[zZ]|[+-]\d{2}:?\d{2}$/.test(text) || !text.includes("T") ? text : `${text}Z`);
  return Number.isNaN(at) ? undefined : at;
}
