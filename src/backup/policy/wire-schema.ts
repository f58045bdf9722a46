// The policy as it comes over the wire. Members that nobody knows are left out; null means absent.

import * as z from "zod";
import { months, weekdays } from "../../lib/calendar-names.ts";
import { durationUnits, tieringModes, weeksOfMonth, workloadPartTypes } from "./policy.ts";

/** Enumerations are compared in any case, as Azure does. */
export function oneOf<const Values extends readonly string[]>(values: Values) {
  return z
    .string()
    .transform((text): Values[number] | undefined => values.find((one) => one.toLowerCase() === text.toLowerCase()))
    .refine((value) => value !== undefined, `must be one of ${values.join(", ")}`)
    .transform((value) => value as Values[number]);
}

const atMost = 1500;

/** To the minute, in UTC; whatever else ISO 8601 allows is brought into this form. */
const time = z.string().transform((text, context) => {
  const at = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/.test(text) ? Date.parse(hasZone(text) ? text : `${text}Z`) : Number.NaN;
  if (Number.isNaN(at)) {
    context.addIssue({ code: "custom", message: "must be a time such as 2026-01-01T05:30:00Z" });
    return z.NEVER;
  }
  if (at % 60_000 !== 0) {
    context.addIssue({ code: "custom", message: "must be a whole minute: leave the seconds at 00" });
    return z.NEVER;
  }
  return `${new Date(at).toISOString().slice(0, 16)}:00Z`;
});

function hasZone(text: string): boolean {
  return /(?:Z|[+-]\d{2}:?\d{2})$/i.test(text);
}

const times = z.array(time).max(24);
const days = z.array(oneOf(weekdays)).max(7).transform(inOrderOf(weekdays));
const duration = z.object({ count: z.int(), durationType: oneOf(durationUnits) });

function inOrderOf<Value extends string>(order: readonly Value[]): (values: Value[]) => Value[] {
  return (values) => order.filter((value) => values.includes(value));
}

const hourly = z.object({
  interval: z.int(),
  scheduleWindowStartTime: time,
  scheduleWindowDuration: z.int(),
});
const frequency = oneOf(["Daily", "Weekly", "Hourly"]);

const schedule = z.discriminatedUnion("schedulePolicyType", [
  z.object({
    schedulePolicyType: z.literal("SimpleSchedulePolicy"),
    scheduleRunFrequency: frequency,
    scheduleRunDays: days.nullish(),
    scheduleRunTimes: times.nullish(),
    hourlySchedule: hourly.nullish(),
    scheduleWeeklyFrequency: z.int().min(0).max(52).nullish(),
  }),
  z.object({
    schedulePolicyType: z.literal("SimpleSchedulePolicyV2"),
    scheduleRunFrequency: frequency,
    hourlySchedule: hourly.nullish(),
    dailySchedule: z.object({ scheduleRunTimes: times }).nullish(),
    weeklySchedule: z.object({ scheduleRunDays: days, scheduleRunTimes: times }).nullish(),
  }),
  z.object({ schedulePolicyType: z.literal("LogSchedulePolicy"), scheduleFrequencyInMins: z.int() }),
]);

const rule = { retentionTimes: times.nullish(), retentionDuration: duration };
const monthly = {
  ...rule,
  retentionScheduleFormatType: oneOf(["Daily", "Weekly"]),
  // Clients send the one that the format does not name as well, as an empty object.
  retentionScheduleDaily: z
    .object({
      daysOfTheMonth: z
        .array(z.object({ date: z.int().nullish(), isLast: z.boolean().nullish() }))
        .max(32)
        .nullish(),
    })
    .nullish(),
  retentionScheduleWeekly: z
    .object({
      daysOfTheWeek: days.nullish(),
      weeksOfTheMonth: z.array(oneOf(weeksOfMonth)).max(5).transform(inOrderOf(weeksOfMonth)).nullish(),
    })
    .nullish(),
};

const retention = z.discriminatedUnion("retentionPolicyType", [
  z.object({
    retentionPolicyType: z.literal("LongTermRetentionPolicy"),
    dailySchedule: z.object(rule).nullish(),
    weeklySchedule: z.object({ ...rule, daysOfTheWeek: days }).nullish(),
    monthlySchedule: z.object(monthly).nullish(),
    yearlySchedule: z
      .object({ ...monthly, monthsOfYear: z.array(oneOf(months)).max(12).transform(inOrderOf(months)) })
      .nullish(),
  }),
  z.object({ retentionPolicyType: z.literal("SimpleRetentionPolicy"), retentionDuration: duration }),
]);

const tiering = z
  .object({
    ArchivedRP: z
      .object({
        tieringMode: oneOf([...tieringModes, "Invalid"]).nullish(),
        duration: z.int().nullish(),
        durationType: oneOf([...durationUnits, "Invalid"]).nullish(),
      })
      .nullish(),
  })
  .nullish();

const extras = z
  .object({
    intervalInMinutes: z.int().nullish(),
    followDaylightSaving: z.boolean().nullish(),
    everyPointInVault: z.boolean().nullish(),
  })
  .nullish();

const name = z.string().max(atMost).nullish();

export const wirePolicy = z.discriminatedUnion(
  "backupManagementType",
  [
    z.object({
      backupManagementType: z.literal("AzureIaasVM"),
      policyType: oneOf(["V1", "V2", "Invalid"]).nullish(),
      instantRPDetails: z.object({ azureBackupRGNamePrefix: name, azureBackupRGNameSuffix: name }).nullish(),
      schedulePolicy: schedule,
      retentionPolicy: retention,
      tieringPolicy: tiering,
      instantRpRetentionRangeInDays: z.int().nullish(),
      timeZone: name,
      snapshotConsistencyType: oneOf(["OnlyCrashConsistent", "Invalid"]).nullish(),
      holdfast: extras,
    }),
    z.object({
      backupManagementType: z.literal("AzureStorage"),
      workLoadType: oneOf(["AzureFileShare"]).nullish(),
      schedulePolicy: schedule,
      retentionPolicy: retention,
      timeZone: name,
    }),
    z.object({
      backupManagementType: z.literal("AzureWorkload"),
      workLoadType: z.string().min(1).max(100),
      settings: z
        .object({ timeZone: name, isCompression: z.boolean().nullish(), issqlcompression: z.boolean().nullish() })
        .nullish(),
      subProtectionPolicy: z
        .array(
          z.object({
            policyType: oneOf(workloadPartTypes),
            schedulePolicy: schedule,
            retentionPolicy: retention,
            tieringPolicy: tiering,
          }),
        )
        .min(1)
        .max(workloadPartTypes.length),
    }),
  ],
  "must be AzureIaasVM, AzureStorage or AzureWorkload",
);

export type WirePolicy = z.output<typeof wirePolicy>;
export type WireSchedule = z.output<typeof schedule>;
export type WireRetention = z.output<typeof retention>;
export type WireTiering = z.output<typeof tiering>;
