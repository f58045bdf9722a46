// The rules of long-term retention: which of daily, weekly, monthly and yearly a schedule allows, for
// how long, and on which days.

import {
  durationDays,
  minuteOfDay,
  ruleNames,
  runTimes,
  type DurationUnit,
  type MonthlyRule,
  type Retention,
  type RetentionRule,
  type RuleName,
  type Schedule,
  type Tiering,
} from "./policy.ts";
import type { Problem } from "./problems.ts";

export interface RetentionTerms {
  /** The field that the retention stands in. */
  readonly at: string;
  readonly fewestDays: number;
}

const bounds: Readonly<Record<RuleName, { unit: DurationUnit; most: number }>> = {
  daily: { unit: "Days", most: 9999 },
  weekly: { unit: "Weeks", most: 5163 },
  monthly: { unit: "Months", most: 1188 },
  yearly: { unit: "Years", most: 99 },
};

export function checkRetention(schedule: Schedule, retention: Retention, terms: RetentionTerms): Problem[] {
  const { at } = terms;
  const { daily, weekly, monthly, yearly } = retention;
  const problems: Problem[] = [];
  if (schedule.kind === "weekly") {
    if (daily !== undefined) {
      const remedy = "Leave it out: a weekly schedule has no daily points.";
      problems.push({ field: `${at}.dailySchedule`, seen: "given", remedy });
    }
    if (weekly === undefined) {
      const remedy = "A weekly schedule needs a weekly retention.";
      problems.push({ field: `${at}.weeklySchedule`, seen: undefined, remedy });
    } else if (weekly.days.join() !== schedule.days.join()) {
      problems.push({
        field: `${at}.weeklySchedule.daysOfTheWeek`,
        seen: weekly.days,
        remedy: `They must be the days of the schedule: ${schedule.days.join(", ")}.`,
      });
    }
    for (const [name, rule] of monthRules(monthly, yearly))
      problems.push(...checkWeeklyFormat(schedule, rule, `${at}.${name}`));
  } else {
    if (daily === undefined) {
      const remedy = "A daily or hourly schedule needs a daily retention.";
      problems.push({ field: `${at}.dailySchedule`, seen: undefined, remedy });
    }
    if (weekly !== undefined && weekly.days.length === 0) {
      const remedy = "Name at least one day, such as Sunday.";
      problems.push({ field: `${at}.weeklySchedule.daysOfTheWeek`, seen: [], remedy });
    }
  }
  for (const name of ruleNames) {
    const rule = retention[name];
    if (rule === undefined) continue;
    problems.push(...checkDuration(name, rule, terms), ...checkTimes(schedule, rule, `${at}.${name}Schedule`));
  }
  for (const [name, rule] of monthRules(monthly, yearly)) problems.push(...checkMonthDays(rule, `${at}.${name}`));
  if (yearly !== undefined && yearly.months.length === 0) {
    const remedy = "Name at least one month, such as January.";
    problems.push({ field: `${at}.yearlySchedule.monthsOfYear`, seen: [], remedy });
  }
  return problems;
}

/** Only monthly and yearly points are ever old enough for the archive tier. */
export function checkTiering(tiering: Tiering, retention: Retention, at: string): Problem[] {
  if (tiering.mode === "DoNotTier") return [];
  const problems: Problem[] = [];
  const { mode, duration } = tiering;
  if (mode === "TierAfter" && (duration === undefined || durationDays(duration) < 3 * 31)) {
    const remedy = "TierAfter needs a duration of at least 3 Months.";
    problems.push({ field: `${at}.duration`, seen: duration?.count, remedy });
  }
  const longest = Math.max(
    0,
    ...[retention.monthly, retention.yearly].map((rule) => (rule === undefined ? 0 : durationDays(rule.duration))),
  );
  if (longest < 9 * 31) {
    const remedy =
      "Points reach the archive only under a monthly or yearly retention of at least 9 months: choose DoNotTier.";
    problems.push({ field: `${at}.tieringMode`, seen: mode, remedy });
  }
  return problems;
}

function monthRules(
  monthly: MonthlyRule | undefined,
  yearly: MonthlyRule | undefined,
): readonly (readonly [string, MonthlyRule])[] {
  const rules = [
    ["monthlySchedule", monthly],
    ["yearlySchedule", yearly],
  ] as const;
  return rules.flatMap(([name, rule]) => (rule === undefined ? [] : [[name, rule] as const]));
}

function checkDuration(name: RuleName, { duration }: RetentionRule, { at, fewestDays }: RetentionTerms): Problem[] {
  const { unit, most } = bounds[name];
  const field = `${at}.${name}Schedule.retentionDuration`;
  if (duration.unit !== unit) {
    return [{ field: `${field}.durationType`, seen: duration.unit, remedy: `The ${name} rule counts in ${unit}.` }];
  }
  const fewest = name === "daily" ? fewestDays : 1;
  if (duration.count >= fewest && duration.count <= most) return [];
  return [{ field: `${field}.count`, seen: duration.count, remedy: `Choose ${fewest} to ${most} ${unit}.` }];
}

function checkTimes(schedule: Schedule, { times }: RetentionRule, at: string): Problem[] {
  const runs = runTimes(schedule).map(minuteOfDay);
  if (times.length > 0 && times.every((time) => runs.includes(minuteOfDay(time)))) return [];
  const wanted = runTimes(schedule).map((time) => time.slice(11, 16));
  return [
    {
      field: `${at}.retentionTimes`,
      seen: times,
      remedy: `They must be times of the schedule: ${wanted.join(", ")}.`,
    },
  ];
}

function checkMonthDays({ on }: MonthlyRule, at: string): Problem[] {
  if (on.format === "Daily") {
    if (on.dates.length > 0 || on.last) return [];
    const remedy = 'Give at least one day, such as {"date": 1, "isLast": false}.';
    return [{ field: `${at}.retentionScheduleDaily.daysOfTheMonth`, seen: [], remedy }];
  }
  if (on.days.length > 0 && on.weeks.length > 0) return [];
  const remedy = "Give at least one day of the week and one week of the month, such as Sunday and First.";
  return [{ field: `${at}.retentionScheduleWeekly`, seen: { days: on.days, weeks: on.weeks }, remedy }];
}

/** Dates of a month would fall on days without any backup. */
function checkWeeklyFormat(schedule: Schedule & { kind: "weekly" }, { on }: MonthlyRule, at: string): Problem[] {
  if (on.format === "Daily") {
    const remedy = "With a weekly schedule it must be Weekly.";
    return [{ field: `${at}.retentionScheduleFormatType`, seen: "Daily", remedy }];
  }
  const stray = on.days.filter((day) => !schedule.days.includes(day));
  if (stray.length === 0) return [];
  const remedy = `They must be days of the schedule: ${schedule.days.join(", ")}.`;
  return [{ field: `${at}.retentionScheduleWeekly.daysOfTheWeek`, seen: on.days, remedy }];
}
