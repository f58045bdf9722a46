// A policy as its records tell it: schedule and retention flattened into columns. Durations count in
// the unit of their column: days, weeks, months, years.

import { z } from "zod";
import { managementName, vaultUniqueId, type BackupEntry, type Fields } from "./backup-entry.ts";
import type { PolicyFacts, VaultFacts } from "./backup-facts.ts";
import { nameGuid } from "./name-guid.ts";

export function policyUniqueId(vault: VaultFacts, name: string): string {
  return nameGuid(vaultUniqueId(vault), "policy", name.toLowerCase());
}

export function policyEntries(policy: PolicyFacts, vault: VaultFacts): BackupEntry[] {
  const parsed = wirePolicy.safeParse(policy.properties);
  const { schedulePolicy, retentionPolicy, timeZone, instantRpRetentionRangeInDays } = parsed.data ?? {};
  return [
    {
      category: "AddonAzureBackupPolicy",
      operation: "Policy",
      state: policy.isDeleted ? "Deleted" : "Active",
      management: managementName(policy.management),
      fields: {
        PolicyUniqueId: policyUniqueId(vault, policy.name),
        PolicyName: policy.name,
        ...scheduleColumns(schedulePolicy),
        ...retentionColumns(retentionPolicy),
      },
      more: {
        PolicyId: policy.id,
        PolicyTimeZone: timeZone,
        DatasourceType: policy.management === "AzureIaasVM" ? "Microsoft.Compute/virtualMachines" : undefined,
        SnapshotTierDefaultRetentionDuration: instantRpRetentionRangeInDays,
        ...hourlyColumns(schedulePolicy),
        ExtendedProperties: {},
      },
    },
  ];
}

const times = z.array(z.string()).optional();
const days = z.array(z.string()).optional();
const duration = z.object({ count: z.number() }).optional();
const rule = z.object({ retentionTimes: times, retentionDuration: duration, daysOfTheWeek: days });
const monthly = rule.extend({
  retentionScheduleFormatType: z.string().optional(),
  retentionScheduleWeekly: z.object({ daysOfTheWeek: days, weeksOfTheMonth: days }).optional(),
  retentionScheduleDaily: z
    .object({ daysOfTheMonth: z.array(z.object({ date: z.number(), isLast: z.boolean() })) })
    .optional(),
  monthsOfYear: days,
});
const hourly = z.object({
  interval: z.number(),
  scheduleWindowStartTime: z.string(),
  scheduleWindowDuration: z.number(),
});
const schedule = z.object({
  scheduleRunFrequency: z.string().optional(),
  scheduleRunDays: days,
  scheduleRunTimes: times,
  dailySchedule: z.object({ scheduleRunTimes: times }).optional(),
  weeklySchedule: z.object({ scheduleRunDays: days, scheduleRunTimes: times }).optional(),
  hourlySchedule: hourly.optional(),
});
const retention = z.object({
  retentionDuration: duration,
  dailySchedule: rule.optional(),
  weeklySchedule: rule.optional(),
  monthlySchedule: monthly.optional(),
  yearlySchedule: monthly.optional(),
});
const wirePolicy = z.object({
  schedulePolicy: schedule.optional(),
  retentionPolicy: retention.optional(),
  timeZone: z.string().optional(),
  instantRpRetentionRangeInDays: z.number().optional(),
});

const list = (texts: readonly string[] | undefined): string | undefined =>
  texts === undefined || texts.length === 0 ? undefined : texts.join(", ");
const clockTimes = (texts: readonly string[] | undefined): string | undefined =>
  list(texts?.map((text) => text.slice(11, 16)));

function scheduleColumns(given: z.output<typeof schedule> | undefined): Fields {
  return {
    BackupFrequency: given?.scheduleRunFrequency,
    BackupTimes: clockTimes(
      given?.scheduleRunTimes ?? given?.dailySchedule?.scheduleRunTimes ?? given?.weeklySchedule?.scheduleRunTimes,
    ),
    BackupDaysOfTheWeek: list(given?.scheduleRunDays ?? given?.weeklySchedule?.scheduleRunDays),
  };
}

function hourlyColumns(given: z.output<typeof schedule> | undefined): Fields {
  const hours = given?.hourlySchedule;
  return {
    BackupIntervalInHours: hours?.interval,
    ScheduleWindowStartTime: hours?.scheduleWindowStartTime,
    ScheduleWindowDuration: hours?.scheduleWindowDuration,
  };
}

function retentionColumns(given: z.output<typeof retention> | undefined): Fields {
  const { dailySchedule, weeklySchedule, monthlySchedule, yearlySchedule } = given ?? {};
  return {
    RetentionDuration: given?.retentionDuration?.count,
    DailyRetentionDuration: dailySchedule?.retentionDuration?.count,
    DailyRetentionTimes: clockTimes(dailySchedule?.retentionTimes),
    WeeklyRetentionDuration: weeklySchedule?.retentionDuration?.count,
    WeeklyRetentionTimes: clockTimes(weeklySchedule?.retentionTimes),
    WeeklyRetentionDaysOfTheWeek: list(weeklySchedule?.daysOfTheWeek),
    ...monthlyColumns("Monthly", monthlySchedule),
    ...monthlyColumns("Yearly", yearlySchedule),
    YearlyRetentionMonthsOfTheYear: list(yearlySchedule?.monthsOfYear),
  };
}

function monthlyColumns(prefix: "Monthly" | "Yearly", given: z.output<typeof monthly> | undefined): Fields {
  const dates = given?.retentionScheduleDaily?.daysOfTheMonth.map(({ date, isLast }) => (isLast ? "Last" : `${date}`));
  return {
    [`${prefix}RetentionDuration`]: given?.retentionDuration?.count,
    [`${prefix}RetentionTimes`]: clockTimes(given?.retentionTimes),
    [`${prefix}RetentionFormat`]: given?.retentionScheduleFormatType,
    [`${prefix}RetentionDaysOfTheWeek`]: list(given?.retentionScheduleWeekly?.daysOfTheWeek),
    [`${prefix}RetentionWeeksOfTheMonth`]: list(given?.retentionScheduleWeekly?.weeksOfTheMonth),
    [`${prefix}RetentionDaysOfTheMonth`]: list(dates),
  };
}
