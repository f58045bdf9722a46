// The policies that a new vault has, as Azure makes them.

import { parsePolicy } from "./parse-policy.ts";
import type { Policy } from "./policy.ts";

const daily = (time: string, days: number): object => ({
  retentionTimes: [time],
  retentionDuration: { count: days, durationType: "Days" },
});

const early = "2026-01-01T05:30:00Z";
const eight = "2026-01-01T08:00:00Z";

const runDaily = {
  schedulePolicyType: "SimpleSchedulePolicy",
  scheduleRunFrequency: "Daily",
  scheduleRunTimes: [early],
};

const longTerm = (time: string): object => ({
  retentionPolicyType: "LongTermRetentionPolicy",
  dailySchedule: daily(time, 30),
});

export const seededPolicies: Readonly<Record<string, Policy>> = {
  DefaultPolicy: parsePolicy({
    backupManagementType: "AzureIaasVM",
    policyType: "V1",
    schedulePolicy: runDaily,
    retentionPolicy: longTerm(early),
    instantRpRetentionRangeInDays: 2,
    timeZone: "UTC",
  }),
  EnhancedPolicy: parsePolicy({
    backupManagementType: "AzureIaasVM",
    policyType: "V2",
    schedulePolicy: {
      schedulePolicyType: "SimpleSchedulePolicyV2",
      scheduleRunFrequency: "Hourly",
      hourlySchedule: { interval: 4, scheduleWindowStartTime: eight, scheduleWindowDuration: 12 },
    },
    retentionPolicy: longTerm(eight),
    instantRpRetentionRangeInDays: 2,
    timeZone: "UTC",
  }),
  HourlyLogBackup: parsePolicy({
    backupManagementType: "AzureWorkload",
    workLoadType: "SQLDataBase",
    settings: { timeZone: "UTC", issqlcompression: false, isCompression: false },
    subProtectionPolicy: [
      { policyType: "Full", schedulePolicy: runDaily, retentionPolicy: longTerm(early) },
      {
        policyType: "Log",
        schedulePolicy: { schedulePolicyType: "LogSchedulePolicy", scheduleFrequencyInMins: 60 },
        retentionPolicy: {
          retentionPolicyType: "SimpleRetentionPolicy",
          retentionDuration: { count: 30, durationType: "Days" },
        },
      },
    ],
  }),
};
