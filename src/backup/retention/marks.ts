// What a point is worth to a policy, decided when it is made and kept with it: the local day that it
// stands for and the rules that it fulfils. A policy whose days change later takes nothing away from
// points that were made under the old ones.

import { months, weekdays } from "../../lib/calendar-names.ts";
import { ruleNames, type MonthDays, type Policy, type Retention, type RuleName } from "../policy/policy.ts";
import { weekdayOf } from "../schedule/runs.ts";
import { clockOf } from "../schedule/policy-clock.ts";

export interface PointMarks {
  /** Days since 1970-01-01 on the policy's calendar. */
  readonly day: number;
  readonly rules: readonly RuleName[];
  /** Several points were made that day under this policy: only the last of them counts for the rules. */
  readonly competes: boolean;
}

/** `dueAt`: when the run was due, not when it ended; a run that starts late still stands for its own day. */
export function marksOf(policy: Policy, dueAt: number): PointMarks {
  const day = clockOf(policy).localOf(dueAt).day;
  const retention = longTermOf(policy);
  const competes =
    policy.management !== "AzureWorkload" &&
    policy.schedule.kind === "hourly" &&
    !(policy.management === "AzureIaasVM" && policy.extras.everyPointInVault);
  return { day, rules: ruleNames.filter((name) => fulfils(retention, name, day)), competes };
}

/** Of a policy of databases: the retention of its full backups. */
export function longTermOf(policy: Policy): Retention | undefined {
  if (policy.management !== "AzureWorkload") return policy.retention;
  const full = policy.parts.find(({ type }) => type === "Full")?.retention;
  return full?.kind === "longTerm" ? full : undefined;
}

function fulfils(retention: Retention | undefined, name: RuleName, day: number): boolean {
  switch (name) {
    case "daily":
      return retention?.daily !== undefined;
    case "weekly":
      return retention?.weekly?.days.some((weekday) => weekday === weekdays[weekdayOf(day)]) ?? false;
    case "monthly":
      return retention?.monthly !== undefined && fallsOn(retention.monthly.on, day);
    case "yearly": {
      const yearly = retention?.yearly;
      const month = months[new Date(day * dayMilliseconds).getUTCMonth()];
      return yearly?.months.some((name) => name === month) === true && fallsOn(yearly.on, day);
    }
  }
}

function fallsOn(on: MonthDays, day: number): boolean {
  const date = new Date(day * dayMilliseconds);
  const dayOfMonth = date.getUTCDate();
  const daysInMonth = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  if (on.format === "Daily") return on.dates.includes(dayOfMonth) || (on.last && dayOfMonth === daysInMonth);
  const weekday = weekdays[weekdayOf(day)];
  if (weekday === undefined || !on.days.includes(weekday)) return false;
  const week = (["First", "Second", "Third", "Fourth"] as const)[Math.ceil(dayOfMonth / 7) - 1];
  const isLast = dayOfMonth + 7 > daysInMonth;
  return (week !== undefined && on.weeks.includes(week)) || (isLast && on.weeks.includes("Last"));
}

const dayMilliseconds = 86_400_000;
