// The KQL that an evaluation runs: the rule's own query, grouped and counted by the engine, so that a
// million rows come back as a handful of numbers.

import type { Aggregation, Criterion, Dimension } from "./rule.ts";

/** Names that the rule's own columns cannot collide with. */
const periodColumn = "HoldfastPeriod";
const valueColumn = "HoldfastValue";

/** More combinations than this are not looked at: Azure's own bound. */
const mostCombinations = 6000;

/** Which columns the rule's query gives. */
export function schemaQuery({ query }: Criterion): string {
  return `${query}\n| getschema`;
}

/** `end` is the moment that now() means; periods are counted back from it. */
export function evaluationQuery(criterion: Criterion, windowSize: number, hasTime: boolean): string {
  const keys = keyColumns(criterion);
  const period = hasTime ? `toint((now() - TimeGenerated - 1tick) / ${windowSize / 1000}s)` : "0";
  const filters = criterion.dimensions.flatMap(filterOf);
  return [
    criterion.query,
    ...filters.map((filter) => `| where ${filter}`),
    `| extend ${[`${periodColumn} = ${period}`, ...keys.map((name, at) => `HoldfastKey${at} = tostring(${quoted(name)})`)].join(", ")}`,
    `| summarize ${valueColumn} = ${aggregates[criterion.aggregation](quoted(criterion.measureColumn ?? ""))} by ${[periodColumn, ...keys.map((_, at) => `HoldfastKey${at}`)].join(", ")}`,
    `| take ${mostCombinations * criterion.periods}`,
  ].join("\n");
}

/** What tells combinations apart, in the order of the columns behind the value. */
export function keyColumns({ dimensions, resourceIdColumn }: Criterion): readonly string[] {
  return [...dimensions.map(({ name }) => name), ...(resourceIdColumn === undefined ? [] : [resourceIdColumn])];
}

const aggregates: Readonly<Record<Aggregation, (column: string) => string>> = {
  Count: () => "todouble(count())",
  Average: (column) => `avg(todouble(${column}))`,
  Minimum: (column) => `min(todouble(${column}))`,
  Maximum: (column) => `max(todouble(${column}))`,
  Total: (column) => `sum(todouble(${column}))`,
};

function filterOf({ name, operator, values }: Dimension): string[] {
  if (values.length === 0 || values.includes("*")) return [];
  const list = values.map((value) => JSON.stringify(value)).join(", ");
  return [`tostring(${quoted(name)}) ${operator === "Include" ? "in" : "!in"} (${list})`];
}

function quoted(name: string): string {
  return `[${JSON.stringify(name)}]`;
}
