// An alert: that something happened which somebody should know. Its condition (Fired, Resolved) is what
// the service saw; its state (New, Acknowledged, Closed) is what people say of it. Neither moves the other.

import type { AlertRow } from "../db/schema/monitor.ts";

export const alertStates = ["New", "Acknowledged", "Closed"] as const;
export type AlertState = (typeof alertStates)[number];
export const severities = ["Sev0", "Sev1", "Sev2", "Sev3", "Sev4"] as const;
export type Severity = (typeof severities)[number];
export const conditions = ["Fired", "Resolved"] as const;

export interface Alert {
  readonly id: string;
  readonly target: string;
  readonly rule: string;
  readonly ruleId: string | undefined;
  readonly service: string;
  readonly signalType: "Log" | "Metric";
  readonly severity: Severity;
  readonly condition: (typeof conditions)[number];
  readonly state: AlertState;
  readonly description: string;
  readonly originId: string;
  readonly context: object;
  readonly actions: AlertActions;
  /** Listed, and nobody is told. */
  readonly isMuted: boolean;
  readonly firedAt: number;
  readonly resolvedAt: number | undefined;
  readonly changedAt: number;
  readonly changedBy: string;
}

export interface AlertActions {
  readonly actionGroups: readonly string[];
  readonly customProperties: Readonly<Record<string, string>>;
}

export const noActions: AlertActions = { actionGroups: [], customProperties: {} };

export function alertFromRow(row: AlertRow): Alert {
  return {
    id: row.id,
    target: row.target,
    rule: row.rule,
    ruleId: row.rule_id ?? undefined,
    service: row.service,
    signalType: row.signal_type as Alert["signalType"],
    severity: row.severity as Severity,
    condition: row.condition as Alert["condition"],
    state: row.state as AlertState,
    description: row.description,
    originId: row.origin_id,
    context: JSON.parse(row.context) as object,
    actions: JSON.parse(row.actions) as AlertActions,
    isMuted: row.is_muted === 1,
    firedAt: row.fired_at,
    resolvedAt: row.resolved_at ?? undefined,
    changedAt: row.changed_at,
    changedBy: row.changed_by,
  };
}
