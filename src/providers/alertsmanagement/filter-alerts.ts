// Which alerts a request asks for: filters and order of its query string.

import { z } from "zod";
import { armErrors } from "../../arm/errors.ts";
import type { ArmRequest } from "../../arm/request.ts";
import type { Alert } from "../../monitor/alert.ts";
import { targetOf } from "./render-alert.ts";

const dayMilliseconds = 86_400_000;
const ranges: Readonly<Record<string, number>> = {
  "1h": 3_600_000,
  "1d": dayMilliseconds,
  "7d": 7 * dayMilliseconds,
  "30d": 30 * dayMilliseconds,
};

/** From inclusive, to exclusive. */
export function timeRangeOf(request: ArmRequest, now: number): { readonly from: number; readonly to: number } {
  const custom = request.query.get("customTimeRange");
  if (custom !== undefined) {
    const [from = Number.NaN, to = Number.NaN] = custom.split("/").map((text) => Date.parse(text));
    if (Number.isNaN(from) || Number.isNaN(to))
      throw armErrors.BadRequest(`customTimeRange '${custom.slice(0, 200)}' is not start/end in ISO 8601.`, {
        target: "customTimeRange",
      });
    return { from, to };
  }
  const named = request.query.get("timeRange");
  const length = ranges[named ?? "30d"];
  if (length === undefined)
    throw armErrors.BadRequest(`timeRange '${named ?? ""}' is not one of ${Object.keys(ranges).join(", ")}.`, {
      target: "timeRange",
    });
  return { from: now - length, to: now + 1 };
}

/** What may be compared, by the name of its parameter. */
const fields: Readonly<Record<string, (alert: Alert) => string>> = {
  targetResource: ({ target }) => target,
  targetResourceType: (alert) => targetOf(alert).type,
  targetResourceGroup: (alert) => targetOf(alert).group,
  targetResourceName: (alert) => targetOf(alert).name,
  monitorService: ({ service }) => service,
  monitorCondition: ({ condition }) => condition,
  severity: ({ severity }) => severity,
  alertState: ({ state }) => state,
  alertRule: ({ ruleId, rule }) => ruleId ?? rule,
  signalType: ({ signalType }) => signalType,
  name: ({ rule }) => rule,
};

export function fieldOf(alert: Alert, field: string): string | undefined {
  return fields[field]?.(alert);
}

export function matches(request: ArmRequest): (alert: Alert) => boolean {
  const wanted = Object.entries(fields).flatMap(([name, read]) => {
    const value = request.query.get(name);
    return value === undefined || value === "" ? [] : [{ read, value: value.toLowerCase() }];
  });
  return (alert) => wanted.every(({ read, value }) => read(alert).toLowerCase() === value);
}

const orderSchema = z.object({
  sortBy: z
    .enum([...(Object.keys(fields) as [string, ...string[]]), "startDateTime", "lastModifiedDateTime"])
    .default("lastModifiedDateTime"),
  sortOrder: z.enum(["asc", "desc"]).default("desc"),
});

export function inOrder(request: ArmRequest, alerts: readonly Alert[]): Alert[] {
  const asked = orderSchema.safeParse({
    sortBy: request.query.get("sortBy"),
    sortOrder: request.query.get("sortOrder"),
  });
  if (!asked.success)
    throw armErrors.BadRequest(`sortBy or sortOrder: ${asked.error.issues[0]?.message ?? "is wrong"}.`, {
      target: "sortBy",
    });
  const { sortBy, sortOrder } = asked.data;
  const key = (alert: Alert): string | number => {
    if (sortBy === "startDateTime") return alert.firedAt;
    return sortBy === "lastModifiedDateTime" ? alert.changedAt : (fieldOf(alert, sortBy) ?? "");
  };
  const sign = sortOrder === "asc" ? 1 : -1;
  return alerts.toSorted((a, b) => (key(a) < key(b) ? -sign : key(a) > key(b) ? sign : a.id < b.id ? -1 : 1));
}
