// Retention the slow way, for an oracle: calendars are walked day by day, nothing is shared with the
// product but the shape of a policy.

import type { MachinePolicy, MonthDays } from "../../policy/policy.ts";
import { naiveLocal } from "../../schedule/testing/naive-clock.ts";

export interface NaivePoint {
  readonly id: string;
  readonly time: number;
  readonly dueAt: number;
  /** The rules that it fulfilled when it was made, by name. */
  readonly tags: ReadonlySet<string>;
  readonly date: string;
  readonly isHourly: boolean;
}

const weekdays = new Intl.DateTimeFormat("en-US", { weekday: "long", timeZone: "UTC" });
const months = new Intl.DateTimeFormat("en-US", { month: "long", timeZone: "UTC" });
const day = 86_400_000;
const unitDays: Readonly<Record<string, number>> = { Days: 1, Weeks: 7, Months: 31, Years: 366 };

export function naivePoint(policy: MachinePolicy, id: string, dueAt: number, time: number): NaivePoint {
  const { date } = naiveLocal(policy, dueAt);
  const isHourly = policy.schedule.kind === "hourly" && !policy.extras.everyPointInVault;
  return { id, time, dueAt, tags: naiveTags(policy, date), date, isHourly };
}

/** Who survives a clean-up at `now`: under the rules of its making, and under those of today. */
export function naiveSurvivors(policy: MachinePolicy, points: readonly NaivePoint[], now: number): NaivePoint[] {
  const newest = [...points].sort((a, b) => a.time - b.time).at(-1);
  return points.filter((point) => {
    if (point === newest || point.time + policy.instantDays * day > now) return true;
    if (
      point.isHourly &&
      points.some((other) => other.isHourly && other.date === point.date && other.time > point.time)
    )
      return false;
    const { daily, weekly, monthly, yearly } = policy.retention;
    const tags = point.tags.union(naiveTags(policy, naiveLocal(policy, point.dueAt).date));
    for (const [tag, rule] of Object.entries({ daily, weekly, monthly, yearly })) {
      if (rule === undefined || !tags.has(tag)) continue;
      if (point.time + rule.duration.count * unitDays[rule.duration.unit]! * day > now) return true;
    }
    return false;
  });
}

const known = new WeakMap<MachinePolicy, Map<string, ReadonlySet<string>>>();

/** Walking a calendar is slow: the answer for each date is kept. */
function naiveTags(policy: MachinePolicy, date: string): ReadonlySet<string> {
  const ofPolicy = known.get(policy) ?? new Map<string, ReadonlySet<string>>();
  known.set(policy, ofPolicy);
  const tags = ofPolicy.get(date) ?? walkCalendar(policy, date);
  ofPolicy.set(date, tags);
  return tags;
}

function walkCalendar({ retention }: MachinePolicy, date: string): Set<string> {
  const tags = new Set<string>();
  const at = new Date(`${date}T00:00:00Z`);
  const weekday = weekdays.format(at);
  const month = months.format(at);
  if (retention.daily !== undefined) tags.add("daily");
  if (retention.weekly?.days.some((name) => name === weekday)) tags.add("weekly");
  if (retention.monthly !== undefined && datesOf(retention.monthly.on, at).has(date)) tags.add("monthly");
  if (retention.yearly?.months.some((name) => name === month) && datesOf(retention.yearly.on, at).has(date))
    tags.add("yearly");
  return tags;
}

/** All dates of the month of `at` that are meant. */
function datesOf(on: MonthDays, at: Date): Set<string> {
  const all: { date: string; weekday: string }[] = [];
  for (let number = 1; number <= 31; number += 1) {
    const one = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), number));
    if (one.getUTCMonth() !== at.getUTCMonth()) continue;
    const weekday = weekdays.format(one);
    all.push({ date: one.toISOString().slice(0, 10), weekday });
  }
  const found = new Set<string>();
  if (on.format === "Daily") {
    for (const number of on.dates) found.add(all[number - 1]!.date);
    if (on.last) found.add(all.at(-1)!.date);
    return found;
  }
  for (const name of on.days) {
    const those = all.filter(({ weekday }) => weekday === name).map(({ date }) => date);
    const [first, second, third, fourth] = those;
    const byWeek = { First: first, Second: second, Third: third, Fourth: fourth, Last: those.at(-1) };
    for (const week of on.weeks) found.add(byWeek[week]!);
  }
  return found;
}
