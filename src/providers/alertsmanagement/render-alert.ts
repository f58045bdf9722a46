// An alert on the wire of Microsoft.AlertsManagement.

import { isoTime } from "../../lib/clock.ts";
import type { AlertChangeRow } from "../../db/schema/monitor.ts";
import type { Alert } from "../../monitor/alert.ts";

export const alertType = "Microsoft.AlertsManagement/alerts";

export function alertId(scope: string, id: string): string {
  return `${scope}/providers/${alertType}/${id}`;
}

export function renderAlert(scope: string, alert: Alert, includeContext: boolean): object {
  return {
    id: alertId(scope, alert.id),
    name: alert.rule,
    type: alertType,
    properties: {
      essentials: renderEssentials(alert),
      ...(includeContext ? { context: alert.context } : {}),
      egressConfig: alert.actions.actionGroups.length === 0 ? {} : { actionGroups: alert.actions.actionGroups },
      customProperties: alert.actions.customProperties,
    },
  };
}

function renderEssentials(alert: Alert): object {
  const target = targetOf(alert);
  return {
    severity: alert.severity,
    signalType: alert.signalType,
    alertState: alert.state,
    monitorCondition: alert.condition,
    targetResource: alert.target.toLowerCase(),
    targetResourceName: target.name,
    targetResourceGroup: target.group,
    targetResourceType: target.type,
    monitorService: alert.service,
    alertRule: alert.ruleId ?? alert.rule,
    sourceCreatedId: alert.originId,
    startDateTime: isoTime(alert.firedAt),
    lastModifiedDateTime: isoTime(alert.changedAt),
    ...(alert.resolvedAt === undefined ? {} : { monitorConditionResolvedDateTime: isoTime(alert.resolvedAt) }),
    lastModifiedUserName: alert.changedBy,
    actionStatus: { isSuppressed: alert.isMuted },
    description: alert.description,
  };
}

export interface AlertTarget {
  readonly name: string;
  readonly group: string;
  readonly type: string;
}

export function targetOf({ target }: Pick<Alert, "target">): AlertTarget {
  const segments = target.toLowerCase().split("/");
  const at = segments.lastIndexOf("providers");
  const types = segments.slice(at + 2).filter((_, index) => index % 2 === 0);
  return {
    name: segments.at(-1) ?? "",
    group: segments[3] === "resourcegroups" ? (segments[4] ?? "") : "",
    type: at === -1 ? "" : [segments[at + 1], ...types].join("/"),
  };
}

export function renderHistory(scope: string, id: string, changes: readonly AlertChangeRow[]): object {
  return {
    id: `${alertId(scope, id)}/history/default`,
    name: "default",
    type: `${alertType}/history`,
    properties: {
      alertId: id,
      modifications: changes.map((change) => ({
        modificationEvent: change.event,
        oldValue: change.old_value ?? "",
        newValue: change.new_value ?? "",
        modifiedAt: isoTime(change.at),
        modifiedBy: change.by,
        comments: change.comments ?? "",
        description: "",
      })),
    },
  };
}
