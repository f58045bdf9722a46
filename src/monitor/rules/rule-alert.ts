// The alert that a rule's combination makes, with the context that the common alert schema gives it.

import { isoTime } from "../../lib/clock.ts";
import type { AlertDraft } from "../alerts.ts";
import type { Combination } from "./evaluate.ts";
import { keyColumns } from "./rule-query.ts";
import type { Rule } from "./rule.ts";

/** While an alert with it is open, a stateful rule makes no other for the combination. */
export function openKeyOf(rule: Rule, keys: string): string {
  return `${rule.id.toLowerCase()}|${keys}`;
}

export function ruleAlert(
  rule: Rule,
  combination: Combination,
  end: number,
  isMuted: boolean,
  correlationId: string,
): AlertDraft {
  const keys = JSON.stringify(combination.keys);
  const { criterion } = rule;
  const names = keyColumns(criterion);
  const dimensions = criterion.dimensions.map(({ name }, at) => ({ name, value: combination.keys[at] ?? "" }));
  const resource =
    criterion.resourceIdColumn === undefined ? undefined : combination.keys[names.indexOf(criterion.resourceIdColumn)];
  return {
    target: resource === undefined || resource === "" ? rule.scope : resource,
    rule: rule.name,
    ruleId: rule.id,
    service: rule.isLegacy ? "Log Analytics" : "Log Alerts V2",
    severity: rule.severity,
    description: rule.description,
    originId: correlationId,
    openKey: rule.isStateful ? openKeyOf(rule, keys) : undefined,
    actions: rule.actions,
    isMuted,
    correlationId,
    context: rule.isLegacy
      ? legacyContext(rule, combination, end)
      : {
          properties: rule.actions.customProperties,
          conditionType: "LogQueryCriteria",
          condition: {
            windowSize: minutes(rule.windowSize),
            allOf: [
              {
                searchQuery: criterion.query,
                metricMeasureColumn: criterion.measureColumn ?? null,
                targetResourceTypes: null,
                operator: criterion.operator,
                threshold: String(criterion.threshold),
                timeAggregation: criterion.aggregation,
                dimensions,
                metricValue: combination.value,
                failingPeriods: {
                  numberOfEvaluationPeriods: criterion.periods,
                  minFailingPeriodsToAlert: criterion.minFailing,
                },
              },
            ],
            windowStartTime: isoTime(end - rule.timeRange),
            windowEndTime: isoTime(end),
          },
        },
  };
}

function legacyContext(rule: Rule, combination: Combination, end: number): object {
  const { criterion } = rule;
  return {
    SearchQuery: criterion.query,
    SearchIntervalStartTimeUtc: isoTime(end - rule.windowSize),
    SearchIntervalEndtimeUtc: isoTime(end),
    ResultCount: combination.value,
    SeverityDescription: `Sev${rule.severity.slice(3)}`,
    WorkspaceId: rule.scope,
    SearchIntervalDurationMin: String(rule.windowSize / 60_000),
    SearchIntervalInMinutes: String(rule.frequency / 60_000),
    Threshold: criterion.threshold,
    Operator: criterion.operator,
    Dimensions: criterion.dimensions.map(({ name }, at) => ({ name, value: combination.keys[at] ?? "" })),
    IncludedSearchResults: "False",
    AlertType: criterion.aggregation === "Count" ? "Number of results" : "Metric measurement",
  };
}

function minutes(milliseconds: number): string {
  return `PT${milliseconds / 60_000}M`;
}
