// Sketches of sets (hll) and of distributions (tdigest) that travel between summarize operators. Ours
// are exact: the distinct values themselves, or all numbers.

import { formatDynamic, isNumber, toNumber, type Dynamic } from "../values/dynamic.ts";
import { list, type RuntimeFunction } from "./value.ts";

function union(sketches: readonly Dynamic[]): Dynamic[] {
  const found = new Map<string, Dynamic>();
  for (const sketch of sketches) for (const value of list(sketch) ?? []) found.set(formatDynamic(value), value);
  return [...found.values()];
}

const numbers = (sketch: Dynamic | undefined): Dynamic[] =>
  (list(sketch) ?? []).filter(isNumber).toSorted((a, b) => Number(a) - Number(b));

/** The value at a rank, as percentile() of the values themselves would give. */
function percentile(sorted: readonly Dynamic[], percent: Dynamic | undefined): Dynamic {
  const wanted = percent === undefined ? null : toNumber(percent);
  if (wanted === null || sorted.length === 0) return null;
  const at = Math.ceil((wanted / 100) * sorted.length) - 1;
  return sorted[Math.min(Math.max(at, 0), sorted.length - 1)] ?? null;
}

export const sketchFunctions: Readonly<Record<string, RuntimeFunction>> = {
  dcount_hll: ([sketch]) => (list(sketch) === undefined ? null : BigInt((list(sketch) ?? []).length)),
  hll_merge: (sketches) => union(sketches),
  /** The sketches of a group, gathered in one list. */
  hll_union: ([sketches]) => union(list(sketches) ?? []),
  hll_isvalid: ([sketch]) => list(sketch) !== undefined,
  tdigest_isvalid: ([sketch]) => list(sketch) !== undefined,
  tdigest_merge: (sketches) => sketches.flatMap((sketch) => list(sketch) ?? []),
  tdigest_union: ([sketches]) => (list(sketches) ?? []).flatMap((sketch) => list(sketch) ?? []),
  percentile_tdigest: ([sketch, percent]) => percentile(numbers(sketch), percent),
  percentiles_array_tdigest: ([sketch, ...percents]) => {
    const sorted = numbers(sketch);
    return percents.flatMap((percent) => list(percent) ?? [percent]).map((percent) => percentile(sorted, percent));
  },
};
