// What a rule of the first generation counts: results, or (with a metric trigger) how often the query's
// AggregatedValue broke a threshold, in all or in a row, for each value of the metric column.

import type { Criterion, Operator } from "../../monitor/rules/rule.ts";

export interface LegacyTrigger {
  readonly thresholdOperator: Operator;
  readonly threshold: number;
  readonly metricTrigger?: MetricTrigger | null | undefined;
}

interface MetricTrigger {
  readonly thresholdOperator: Operator;
  readonly threshold: number;
  readonly metricTriggerType: "Consecutive" | "Total";
  readonly metricColumn?: string | null | undefined;
}

export function legacyCriterion(
  query: string,
  { thresholdOperator, threshold, metricTrigger }: LegacyTrigger,
): Criterion {
  const results: Criterion = {
    query,
    aggregation: "Count",
    measureColumn: undefined,
    resourceIdColumn: undefined,
    dimensions: [],
    operator: thresholdOperator,
    threshold,
    periods: 1,
    minFailing: 1,
  };
  if (metricTrigger === null || metricTrigger === undefined) return results;
  const { metricColumn } = metricTrigger;
  const column = metricColumn === null || metricColumn === undefined || metricColumn === "" ? undefined : metricColumn;
  return {
    ...results,
    query: `${query}\n${breaches(metricTrigger, column)}`,
    aggregation: "Maximum",
    measureColumn: breachColumn,
    dimensions: column === undefined ? [] : [{ name: column, operator: "Include", values: ["*"] }],
  };
}

const breachColumn = "HoldfastBreaches";
const comparisons: Readonly<Record<Operator, string>> = {
  Equals: "==",
  GreaterThan: ">",
  GreaterThanOrEqual: ">=",
  LessThan: "<",
  LessThanOrEqual: "<=",
};

/** Without a time, so that all of the window counts: bins begin before it. */
function breaches(
  { thresholdOperator, threshold, metricTriggerType }: MetricTrigger,
  column: string | undefined,
): string {
  const name = column === undefined ? undefined : `[${JSON.stringify(column)}]`;
  const isBreach = `todouble(AggregatedValue) ${comparisons[thresholdOperator]} ${threshold}`;
  const shown = [...(name === undefined ? [] : [name]), breachColumn].join(", ");
  if (metricTriggerType === "Total") {
    const by = name === undefined ? "" : ` by ${name}`;
    return `| summarize ${breachColumn} = countif(${isBreach})${by}\n| project ${shown}`;
  }
  const order = [...(name === undefined ? [] : [name]), "TimeGenerated"].map((key) => `${key} asc`).join(", ");
  const isOther = name === undefined ? "" : ` or ${name} != prev(${name})`;
  return [
    `| sort by ${order}`,
    `| extend HoldfastBreach = ${isBreach}`,
    `| extend ${breachColumn} = row_cumsum(iff(HoldfastBreach, 1, 0), not(HoldfastBreach)${isOther})`,
    `| project ${shown}`,
  ].join("\n");
}
