// A policy as the domain knows it: when to back up and how long to keep what came of it. The wire has
// several spellings of the same (V1, V2, nulls); this form has one. Run times are texts like
// `2026-01-01T05:30:00Z` of which only the time of day counts, read in the policy's time zone: the
// date stays because clients compare what they wrote.

import type { Month, Weekday } from "../../lib/calendar-names.ts";

export type Policy = MachinePolicy | SharePolicy | WorkloadPolicy;

export interface MachinePolicy {
  readonly management: "AzureIaasVM";
  /** V1 is Azure's standard policy, V2 its enhanced one. */
  readonly version: "V1" | "V2";
  readonly schedule: Schedule;
  readonly retention: Retention;
  /** A Windows name. */
  readonly timeZone: string;
  /** How long a point stays in the snapshot tier. */
  readonly instantDays: number;
  readonly snapshotGroup: { readonly prefix: string | undefined; readonly suffix: string | undefined };
  readonly tiering: Tiering;
  /** Agentless: all disks at one instant, nobody in the guest is asked. */
  readonly onlyCrashConsistent: boolean;
  readonly extras: Extras;
}

export interface SharePolicy {
  readonly management: "AzureStorage";
  readonly schedule: Schedule;
  readonly retention: Retention;
  readonly timeZone: string;
}

export interface WorkloadPolicy {
  readonly management: "AzureWorkload";
  readonly workload: string;
  readonly timeZone: string;
  readonly isCompressed: boolean;
  readonly parts: readonly WorkloadPart[];
}

export interface WorkloadPart {
  readonly type: (typeof workloadPartTypes)[number];
  readonly schedule: Schedule | LogSchedule;
  readonly retention: Retention | SimpleRetention;
  readonly tiering: Tiering | undefined;
}

/** What goes beyond Azure; on the wire it stands in `properties.holdfast`. */
export interface Extras {
  /** Takes the place of the hours of an hourly schedule. */
  readonly intervalMinutes: number | undefined;
  /** Run at the wall clock's time all year. Azure keeps the zone's standard offset. */
  readonly followDaylightSaving: boolean;
  /** Every scheduled point counts for the retention rules, not only the last of each day. */
  readonly everyPointInVault: boolean;
}

export type Schedule = DailySchedule | WeeklySchedule | HourlySchedule;

export interface DailySchedule {
  readonly kind: "daily";
  readonly times: readonly string[];
}

export interface WeeklySchedule {
  readonly kind: "weekly";
  readonly days: readonly Weekday[];
  readonly times: readonly string[];
  /** Each week (1), every second (2), …, counted from the week of the first time's date. */
  readonly everyWeeks: number;
}

export interface HourlySchedule {
  readonly kind: "hourly";
  readonly everyHours: number;
  readonly start: string;
  readonly windowHours: number;
}

export interface LogSchedule {
  readonly kind: "log";
  readonly everyMinutes: number;
}

export interface Retention {
  readonly kind: "longTerm";
  readonly daily: RetentionRule | undefined;
  readonly weekly: WeeklyRule | undefined;
  readonly monthly: MonthlyRule | undefined;
  readonly yearly: YearlyRule | undefined;
}

export interface SimpleRetention {
  readonly kind: "simple";
  readonly duration: Duration;
}

export interface RetentionRule {
  readonly times: readonly string[];
  readonly duration: Duration;
}

export interface WeeklyRule extends RetentionRule {
  readonly days: readonly Weekday[];
}

export interface MonthlyRule extends RetentionRule {
  readonly on: MonthDays;
}

export interface YearlyRule extends MonthlyRule {
  readonly months: readonly Month[];
}

/** Which days of a month: by their number, or as weekdays of its weeks. */
export type MonthDays =
  | { readonly format: "Daily"; readonly dates: readonly number[]; readonly last: boolean }
  | { readonly format: "Weekly"; readonly days: readonly Weekday[]; readonly weeks: readonly WeekOfMonth[] };

export interface Duration {
  readonly count: number;
  readonly unit: DurationUnit;
}

export interface Tiering {
  readonly mode: (typeof tieringModes)[number];
  readonly duration: Duration | undefined;
}

export const weeksOfMonth = ["First", "Second", "Third", "Fourth", "Last"] as const;
export type WeekOfMonth = (typeof weeksOfMonth)[number];

export const durationUnits = ["Days", "Weeks", "Months", "Years"] as const;
export type DurationUnit = (typeof durationUnits)[number];

export const tieringModes = ["DoNotTier", "TierRecommended", "TierAfter"] as const;

export const workloadPartTypes = [
  "Full",
  "Differential",
  "Incremental",
  "Log",
  "CopyOnlyFull",
  "SnapshotFull",
  "SnapshotCopyOnlyFull",
] as const;

/** In the order of their names on the wire; the longest of those that hold a point counts. */
export const ruleNames = ["daily", "weekly", "monthly", "yearly"] as const;
export type RuleName = (typeof ruleNames)[number];

/** A month counts 31 days, as in Azure; a year 366, so that nothing goes before its calendar does. */
const daysOf: Readonly<Record<DurationUnit, number>> = { Days: 1, Weeks: 7, Months: 31, Years: 366 };

export function durationDays({ count, unit }: Duration): number {
  return count * daysOf[unit];
}

/** Minutes since midnight of a run time. */
export function minuteOfDay(time: string): number {
  return Number(time.slice(11, 13)) * 60 + Number(time.slice(14, 16));
}

/** How many minutes lie between two runs of an hourly schedule. */
export function intervalMinutes(schedule: HourlySchedule, extras: Extras | undefined): number {
  return extras?.intervalMinutes ?? schedule.everyHours * 60;
}

/** What retention times must be: the times at which the schedule runs. */
export function runTimes(schedule: Schedule | LogSchedule): readonly string[] {
  if (schedule.kind === "log") return [];
  return schedule.kind === "hourly" ? [schedule.start] : schedule.times;
}
