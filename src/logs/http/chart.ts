// How a query wants its result drawn, in the form of Azure: every property by name, whether given or not.

import type { RenderRequest } from "../../kql/index.ts";

const properties = [
  "title",
  "accumulate",
  "kind",
  "legend",
  "series",
  "yMin",
  "yMax",
  "xAxis",
  "xColumn",
  "xTitle",
  "yAxis",
  "yColumns",
  "ySplit",
  "yTitle",
  "anomalyColumns",
] as const;

export function chartOf({ visualization, properties: given, isSorted }: RenderRequest): object {
  const shown = properties.map((name) => [name, valueOf(name, given[name.toLowerCase()])]);
  return { visualization, isQuerySorted: isSorted, ...Object.fromEntries(shown) };
}

function valueOf(name: (typeof properties)[number], given: string | readonly string[] | undefined): unknown {
  if (name === "accumulate") return given === "true";
  // JSON has no number for a bound that was not set.
  if (name === "yMin" || name === "yMax") return given === undefined ? "NaN" : Number(given);
  return given ?? null;
}
