// A rule about alerts when they fire: which alerts and when, and whether more groups are told or nobody is.

import { z } from "zod";
import { zoneClock } from "../../backup/schedule/policy-clock.ts";
import { windowsZones } from "../../backup/schedule/windows-zones.ts";
import { idKey } from "../../arm/resource-id.ts";
import type { AlertDraft } from "../../monitor/alerts.ts";
import { targetOf } from "./render-alert.ts";

const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"] as const;
const dayMinutes = 1440;

const instant = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z?$/, "must be a time such as 2026-01-31T22:00:00")
  .refine((text) => !Number.isNaN(Date.parse(text.endsWith("Z") ? text : `${text}Z`)), "is no time");
const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$/, "must be a time of day such as 22:00:00");

const recurrence = z.discriminatedUnion("recurrenceType", [
  z.object({ recurrenceType: z.literal("Daily"), startTime: timeOfDay, endTime: timeOfDay }),
  z.object({
    recurrenceType: z.literal("Weekly"),
    daysOfWeek: z.array(z.enum(weekdays)).min(1),
    startTime: timeOfDay.nullish(),
    endTime: timeOfDay.nullish(),
  }),
  z.object({
    recurrenceType: z.literal("Monthly"),
    daysOfMonth: z.array(z.int().min(1).max(31)).min(1),
    startTime: timeOfDay.nullish(),
    endTime: timeOfDay.nullish(),
  }),
]);
type Recurrence = z.output<typeof recurrence>;

const fields = {
  Severity: ({ severity }: AlertDraft) => severity,
  MonitorService: ({ service }: AlertDraft) => service,
  MonitorCondition: () => "Fired",
  SignalType: () => "Log",
  TargetResourceType: (alert: AlertDraft) => targetOf(alert).type,
  TargetResource: ({ target }: AlertDraft) => target,
  TargetResourceGroup: ({ target }: AlertDraft) => target.split("/").slice(0, 5).join("/"),
  AlertRuleId: ({ ruleId }: AlertDraft) => ruleId ?? "",
  AlertRuleName: ({ rule }: AlertDraft) => rule,
  Description: ({ description }: AlertDraft) => description,
  AlertContext: ({ context }: AlertDraft) => JSON.stringify(context),
} satisfies Readonly<Record<string, (alert: AlertDraft) => string>>;

const operators = ["Equals", "NotEquals", "Contains", "DoesNotContain"] as const;

export const processingRuleProperties = z.object({
  scopes: z.array(z.string().startsWith("/subscriptions/").max(1024)).min(1).max(100),
  conditions: z
    .array(
      z.object({
        field: z.enum(Object.keys(fields) as [keyof typeof fields, ...(keyof typeof fields)[]]),
        operator: z.enum(operators),
        values: z.array(z.string().max(4096)).min(1).max(100),
      }),
    )
    .max(20)
    .nullish(),
  schedule: z
    .object({
      effectiveFrom: instant.nullish(),
      effectiveUntil: instant.nullish(),
      timeZone: z
        .enum(Object.keys(windowsZones) as [string, ...string[]], "must be a Windows time zone such as UTC")
        .nullish(),
      recurrences: z.array(recurrence).max(20).nullish(),
    })
    .nullish(),
  actions: z
    .array(
      z.discriminatedUnion("actionType", [
        z.object({
          actionType: z.literal("AddActionGroups"),
          actionGroupIds: z.array(z.string().startsWith("/").max(1024)).min(1).max(5),
        }),
        z.object({ actionType: z.literal("RemoveAllActionGroups") }),
      ]),
    )
    .length(1, "must hold one action"),
  description: z.string().max(4096).nullish(),
  enabled: z
    .boolean()
    .nullish()
    .transform((asked) => asked ?? true),
});

export type ProcessingRule = z.output<typeof processingRuleProperties>;

/** The alert as the rules let it out. Who takes all groups away wins over who adds some. */
export function processed(alert: AlertDraft, rules: readonly ProcessingRule[], now: number): AlertDraft {
  const actions = rules.filter((rule) => isAbout(rule, alert) && isActive(rule, now)).flatMap((rule) => rule.actions);
  if (actions.length === 0) return alert;
  if (actions.some(({ actionType }) => actionType === "RemoveAllActionGroups"))
    return { ...alert, isMuted: true, actions: { ...alert.actions, actionGroups: [] } };
  const added = actions.flatMap((action) => (action.actionType === "AddActionGroups" ? action.actionGroupIds : []));
  const all = [...alert.actions.actionGroups, ...added];
  const keys = all.map(idKey);
  const actionGroups = all.filter((_, index) => keys.indexOf(keys[index] ?? "") === index);
  return { ...alert, actions: { ...alert.actions, actionGroups } };
}

function isAbout({ enabled, scopes, conditions }: ProcessingRule, alert: AlertDraft): boolean {
  const target = idKey(alert.target);
  const isIn = (scope: string): boolean => target === idKey(scope) || target.startsWith(`${idKey(scope)}/`);
  if (!enabled || !scopes.some(isIn)) return false;
  return (conditions ?? []).every(({ field, operator, values }) => {
    const actual = fields[field](alert).toLowerCase();
    const wanted = values.map((value) => value.toLowerCase());
    switch (operator) {
      case "Equals":
        return wanted.includes(actual);
      case "NotEquals":
        return !wanted.includes(actual);
      case "Contains":
        return wanted.some((part) => actual.includes(part));
      case "DoesNotContain":
        return !wanted.some((part) => actual.includes(part));
    }
  });
}

function isActive({ schedule }: ProcessingRule, now: number): boolean {
  if (schedule === null || schedule === undefined) return true;
  const { day, minute } = zoneClock(schedule.timeZone ?? "UTC", true).localOf(now);
  const local = (day * dayMinutes + minute) * 60_000;
  const at = (text: string): number => Date.parse(text.endsWith("Z") ? text : `${text}Z`);
  if (schedule.effectiveFrom && local < at(schedule.effectiveFrom)) return false;
  if (schedule.effectiveUntil && local >= at(schedule.effectiveUntil)) return false;
  const recurrences = schedule.recurrences ?? [];
  return recurrences.length === 0 || recurrences.some((one) => isWithin(one, day, minute));
}

/** A window that ends before it starts ends on the next day, and belongs to the day on which it starts. */
function isWithin(one: Recurrence, day: number, minute: number): boolean {
  const start = minuteOf(one.startTime, 0);
  const end = minuteOf(one.endTime, dayMinutes);
  if (start < end) return isDay(one, day) && minute >= start && minute < end;
  return (isDay(one, day) && minute >= start) || (isDay(one, day - 1) && minute < end);
}

function isDay(one: Recurrence, day: number): boolean {
  const date = new Date(day * dayMinutes * 60_000);
  if (one.recurrenceType === "Weekly")
    return one.daysOfWeek.some((name) => weekdays.indexOf(name) === date.getUTCDay());
  return one.recurrenceType === "Daily" || one.daysOfMonth.includes(date.getUTCDate());
}

function minuteOf(text: string | null | undefined, fallback: number): number {
  if (text === null || text === undefined) return fallback;
  const [hours = 0, minutes = 0, seconds = 0] = text.split(":").map(Number);
  return hours * 60 + minutes + seconds / 60;
}
