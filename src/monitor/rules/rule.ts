// A scheduled query rule as the evaluation knows it; the wire has two generations of it.

import type { AlertActions, Severity } from "../alert.ts";

export interface Rule {
  /** Id of its resource. */
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly severity: Severity;
  /** What it asks: a workspace, or a resource whose logs are asked. */
  readonly scope: string;
  readonly frequency: number;
  readonly windowSize: number;
  /** How far back the query sees; windowSize for each period unless the rule says more. */
  readonly timeRange: number;
  readonly criterion: Criterion;
  /** One open alert for each combination, resolved by the service; else each evaluation makes its own. */
  readonly isStateful: boolean;
  /** After an alert, for how long nobody is told of the next. */
  readonly muteFor: number;
  readonly actions: AlertActions;
  readonly isLegacy: boolean;
}

export interface Criterion {
  readonly query: string;
  readonly aggregation: Aggregation;
  readonly measureColumn: string | undefined;
  readonly resourceIdColumn: string | undefined;
  readonly dimensions: readonly Dimension[];
  readonly operator: Operator;
  readonly threshold: number;
  readonly periods: number;
  readonly minFailing: number;
}

export interface Dimension {
  readonly name: string;
  readonly operator: "Include" | "Exclude";
  readonly values: readonly string[];
}

export const aggregations = ["Count", "Average", "Minimum", "Maximum", "Total"] as const;
export type Aggregation = (typeof aggregations)[number];

export const operators = {
  Equals: (value: number, threshold: number) => value === threshold,
  GreaterThan: (value: number, threshold: number) => value > threshold,
  GreaterThanOrEqual: (value: number, threshold: number) => value >= threshold,
  LessThan: (value: number, threshold: number) => value < threshold,
  LessThanOrEqual: (value: number, threshold: number) => value <= threshold,
} as const;
export type Operator = keyof typeof operators;
