// From the domain back to the wire. What `parsePolicy` read comes out again as it was said.

import type {
  Duration,
  LogSchedule,
  MachinePolicy,
  MonthlyRule,
  Policy,
  Retention,
  RetentionRule,
  Schedule,
  SimpleRetention,
  Tiering,
} from "./policy.ts";

export type WireProperties = Readonly<Record<string, unknown>>;

export function renderPolicy(policy: Policy): WireProperties {
  const { management: backupManagementType } = policy;
  switch (policy.management) {
    case "AzureIaasVM":
      return {
        backupManagementType,
        policyType: policy.version,
        instantRPDetails: {
          ...(policy.snapshotGroup.prefix === undefined
            ? {}
            : { azureBackupRGNamePrefix: policy.snapshotGroup.prefix }),
          ...(policy.snapshotGroup.suffix === undefined
            ? {}
            : { azureBackupRGNameSuffix: policy.snapshotGroup.suffix }),
        },
        schedulePolicy: policy.version === "V2" ? renderScheduleV2(policy.schedule) : renderSchedule(policy.schedule),
        retentionPolicy: renderRetention(policy.retention),
        tieringPolicy: { ArchivedRP: renderTiering(policy.tiering) },
        instantRpRetentionRangeInDays: policy.instantDays,
        timeZone: policy.timeZone,
        ...(policy.onlyCrashConsistent ? { snapshotConsistencyType: "OnlyCrashConsistent" } : {}),
        ...renderExtras(policy),
      };
    case "AzureStorage":
      return {
        backupManagementType,
        workLoadType: "AzureFileShare",
        schedulePolicy: renderSchedule(policy.schedule),
        retentionPolicy: renderRetention(policy.retention),
        timeZone: policy.timeZone,
      };
    case "AzureWorkload":
      return {
        backupManagementType,
        workLoadType: policy.workload,
        settings: {
          timeZone: policy.timeZone,
          issqlcompression: policy.isCompressed,
          isCompression: policy.isCompressed,
        },
        subProtectionPolicy: policy.parts.map(({ type, schedule, retention, tiering }) => ({
          policyType: type,
          schedulePolicy: renderSchedule(schedule),
          retentionPolicy: renderRetention(retention),
          ...(tiering === undefined ? {} : { tieringPolicy: { ArchivedRP: renderTiering(tiering) } }),
        })),
      };
  }
}

function renderExtras({ extras }: MachinePolicy): WireProperties {
  const { intervalMinutes, followDaylightSaving, everyPointInVault } = extras;
  if (intervalMinutes === undefined && !followDaylightSaving && !everyPointInVault) return {};
  const interval = intervalMinutes === undefined ? {} : { intervalInMinutes: intervalMinutes };
  return { holdfast: { ...interval, followDaylightSaving, everyPointInVault } };
}

function renderSchedule(schedule: Schedule | LogSchedule): WireProperties {
  if (schedule.kind === "log")
    return { schedulePolicyType: "LogSchedulePolicy", scheduleFrequencyInMins: schedule.everyMinutes };
  return {
    schedulePolicyType: "SimpleSchedulePolicy",
    scheduleRunFrequency: frequency[schedule.kind],
    ...(schedule.kind === "weekly" ? { scheduleRunDays: schedule.days } : {}),
    ...(schedule.kind === "hourly" ? { hourlySchedule: renderHourly(schedule) } : { scheduleRunTimes: schedule.times }),
    scheduleWeeklyFrequency: schedule.kind === "weekly" && schedule.everyWeeks > 1 ? schedule.everyWeeks : 0,
  };
}

function renderScheduleV2(schedule: Schedule): WireProperties {
  const common = { schedulePolicyType: "SimpleSchedulePolicyV2", scheduleRunFrequency: frequency[schedule.kind] };
  switch (schedule.kind) {
    case "daily":
      return { ...common, dailySchedule: { scheduleRunTimes: schedule.times } };
    case "weekly":
      return {
        ...common,
        weeklySchedule: { scheduleRunDays: schedule.days, scheduleRunTimes: schedule.times },
      };
    case "hourly":
      return { ...common, hourlySchedule: renderHourly(schedule) };
  }
}

const frequency = { daily: "Daily", weekly: "Weekly", hourly: "Hourly" } as const;

function renderHourly({ everyHours, start, windowHours }: Extract<Schedule, { kind: "hourly" }>): WireProperties {
  return { interval: everyHours, scheduleWindowStartTime: start, scheduleWindowDuration: windowHours };
}

function renderRetention(retention: Retention | SimpleRetention): WireProperties {
  if (retention.kind === "simple") {
    return { retentionPolicyType: "SimpleRetentionPolicy", retentionDuration: renderDuration(retention.duration) };
  }
  const { daily, weekly, monthly, yearly } = retention;
  return {
    retentionPolicyType: "LongTermRetentionPolicy",
    ...(daily === undefined ? {} : { dailySchedule: renderRule(daily) }),
    ...(weekly === undefined ? {} : { weeklySchedule: { daysOfTheWeek: weekly.days, ...renderRule(weekly) } }),
    ...(monthly === undefined ? {} : { monthlySchedule: renderMonthly(monthly) }),
    ...(yearly === undefined ? {} : { yearlySchedule: { ...renderMonthly(yearly), monthsOfYear: yearly.months } }),
  };
}

function renderRule({ times, duration }: RetentionRule): WireProperties {
  return { retentionTimes: times, retentionDuration: renderDuration(duration) };
}

function renderMonthly({ on, ...rule }: MonthlyRule): WireProperties {
  if (on.format === "Weekly") {
    return {
      retentionScheduleFormatType: "Weekly",
      retentionScheduleWeekly: { daysOfTheWeek: on.days, weeksOfTheMonth: on.weeks },
      ...renderRule(rule),
    };
  }
  const dates = on.dates.map((date) => ({ date, isLast: false }));
  return {
    retentionScheduleFormatType: "Daily",
    retentionScheduleDaily: { daysOfTheMonth: on.last ? [...dates, { date: 0, isLast: true }] : dates },
    ...renderRule(rule),
  };
}

function renderDuration({ count, unit }: Duration): WireProperties {
  return { count, durationType: unit };
}

function renderTiering({ mode, duration }: Tiering): WireProperties {
  return { tieringMode: mode, duration: duration?.count ?? 0, durationType: duration?.unit ?? "Invalid" };
}
