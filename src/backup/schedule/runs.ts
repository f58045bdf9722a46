// When a policy runs: pure functions of the policy and of instants (milliseconds since the epoch).
// Nothing is remembered between calls, so missed runs, restarts and changed policies need no repair.

import { weekdays } from "../../lib/calendar-names.ts";
import {
  intervalMinutes,
  minuteOfDay,
  type Extras,
  type HourlySchedule,
  type Policy,
  type Schedule,
  type WeeklySchedule,
} from "../policy/policy.ts";
import { clockOf, type PolicyClock } from "./policy-clock.ts";

/** The schedule of a policy with all that it depends on. */
export interface Timetable {
  readonly schedule: Schedule;
  readonly clock: PolicyClock;
  readonly extras: Extras | undefined;
}

/** Of a policy of databases it is the one of its full backups. */
export function timetableOf(policy: Policy): Timetable {
  const clock = clockOf(policy);
  switch (policy.management) {
    case "AzureIaasVM":
      return { schedule: policy.schedule, clock, extras: policy.extras };
    case "AzureStorage":
      return { schedule: policy.schedule, clock, extras: undefined };
    case "AzureWorkload": {
      const full = policy.parts.find(({ schedule }) => schedule.kind !== "log")?.schedule;
      if (full === undefined || full.kind === "log") throw new Error("a policy of databases has a full backup");
      return { schedule: full, clock, extras: undefined };
    }
  }
}

/** The first runs later than `after`, in order. */
export function nextRuns({ schedule, clock, extras }: Timetable, after: number, count: number): number[] {
  const found: number[] = [];
  let day = clock.localOf(after).day - 1; // a window that began yesterday may reach into today
  const lastDay = day + longestGapDays(schedule) * (count + 1) + 2;
  for (; day <= lastDay && found.length < count; day += 1) {
    for (const run of runsOfDay(schedule, clock, extras, day, after)) {
      if (run <= after) continue;
      found.push(run);
      if (found.length === count) break;
    }
  }
  return found;
}

/** The latest run that is not later than `now`. */
export function latestRun({ schedule, clock, extras }: Timetable, now: number): number | undefined {
  const today = clock.localOf(now).day;
  for (let day = today; day >= today - longestGapDays(schedule) - 1; day -= 1) {
    const run = latestOfDay(schedule, clock, extras, day, now);
    if (run !== undefined) return run;
  }
  return undefined;
}

/**
 * The run that has to start now, if any. `lastRun` is the run that was started last (its due time), or
 * the instant from which the schedule holds: protection or a new policy never fires for the past. Runs
 * that were missed while nobody looked become one. If the clock was set back, `lastRun` lies in the
 * future and nothing is due: the caller lowers it to `now`.
 */
export function dueRun(timetable: Timetable, lastRun: number, now: number): number | undefined {
  const latest = latestRun(timetable, now);
  return latest !== undefined && latest > lastRun ? latest : undefined;
}

/** Whether no later run belongs to the same local day. */
export function isLastOfDay(timetable: Timetable, run: number): boolean {
  const [next] = nextRuns(timetable, run, 1);
  return next === undefined || timetable.clock.localOf(next).day !== timetable.clock.localOf(run).day;
}

function longestGapDays(schedule: Schedule): number {
  return schedule.kind === "weekly" ? 7 * schedule.everyWeeks : 1;
}

/** In order; of an hourly schedule only those from shortly before `after` on, however short its interval. */
function* runsOfDay(
  schedule: Schedule,
  clock: PolicyClock,
  extras: Extras | undefined,
  day: number,
  after: number,
): Generator<number> {
  if (schedule.kind === "hourly") {
    const { start, end, step } = windowOf(schedule, clock, extras, day);
    const skipped = Math.max(0, Math.floor((after - start) / step));
    for (let run = start + skipped * step; run < end; run += step) yield run;
    return;
  }
  if (schedule.kind === "weekly" && !runsOn(schedule, day)) return;
  const minutes = schedule.times.map(minuteOfDay).sort((a, b) => a - b);
  for (const minute of minutes) yield clock.instantOf(day, minute);
}

function latestOfDay(
  schedule: Schedule,
  clock: PolicyClock,
  extras: Extras | undefined,
  day: number,
  now: number,
): number | undefined {
  if (schedule.kind === "hourly") {
    const { start, end, step } = windowOf(schedule, clock, extras, day);
    if (now < start) return undefined;
    const last = start + Math.floor((Math.min(now, end - 1) - start) / step) * step;
    return last;
  }
  let latest: number | undefined;
  for (const run of runsOfDay(schedule, clock, extras, day, now)) if (run <= now) latest = run;
  return latest;
}

/**
 * The window that begins on `day`: [start, end). A run at the very end of a shorter window still belongs to it; a
 * window of 24 hours lasts until the next one begins, whatever the wall clock did in between.
 */
function windowOf(
  schedule: HourlySchedule,
  clock: PolicyClock,
  extras: Extras | undefined,
  day: number,
): { start: number; end: number; step: number } {
  const minute = minuteOfDay(schedule.start);
  const start = clock.instantOf(day, minute);
  const next = clock.instantOf(day + 1, minute);
  const step = intervalMinutes(schedule, extras) * 60_000;
  const end = schedule.windowHours === 24 ? next : Math.min(next, start + schedule.windowHours * 3_600_000 + 1);
  return { start, end, step };
}

function runsOn({ days, times, everyWeeks }: WeeklySchedule, day: number): boolean {
  const weekday = weekdays[weekdayOf(day)];
  if (weekday === undefined || !days.includes(weekday)) return false;
  if (everyWeeks === 1) return true;
  const anchor = Math.floor(Date.parse(times[0] ?? "") / 86_400_000);
  const weeks = weekOf(day) - weekOf(anchor);
  return ((weeks % everyWeeks) + everyWeeks) % everyWeeks === 0;
}

/** 0 = Sunday. The first of January 1970 was a Thursday. */
export function weekdayOf(day: number): number {
  return (((day + 4) % 7) + 7) % 7;
}

function weekOf(day: number): number {
  return Math.floor((day + 4) / 7);
}
