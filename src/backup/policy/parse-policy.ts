// From the wire to the domain. What the shape allows and the domain does not is said by `checkPolicy`.

import {
  runTimes,
  type Duration,
  type Extras,
  type LogSchedule,
  type MonthDays,
  type Policy,
  type Retention,
  type RetentionRule,
  type Schedule,
  type SimpleRetention,
  type Tiering,
} from "./policy.ts";
import { withSchemaNames } from "../../lib/property-names.ts";
import { checkPolicy } from "./check-policy.ts";
import { invalidPolicy, type Problem } from "./problems.ts";
import { wirePolicy, type WirePolicy, type WireRetention, type WireSchedule, type WireTiering } from "./wire-schema.ts";

/**
 * Throws BMSUserErrorInvalidPolicyInput with every wrong field. `before` is the policy that is
 * replaced: clients that do not know `properties.holdfast` leave it out, and it stays; null ends it.
 */
export function parsePolicy(given: unknown, before?: Policy): Policy {
  const properties = withSchemaNames(wirePolicy, given);
  const parsed = wirePolicy.safeParse(withCanonicalKind(properties));
  if (!parsed.success) {
    throw invalidPolicy(
      parsed.error.issues.map((issue) => ({
        field: ["properties", ...issue.path.map(String)].join("."),
        seen: valueAt(properties, issue.path),
        remedy: `It ${issue.message.startsWith("must") ? issue.message : `is wrong: ${issue.message}`}.`,
      })),
    );
  }
  const problems: Problem[] = [];
  const policy = fromWire(parsed.data, before, problems);
  // A schedule that could not be read would only bring doubtful findings about the rest.
  if (problems.length === 0) problems.push(...checkPolicy(policy));
  if (problems.length > 0) throw invalidPolicy(problems);
  return policy;
}

/** Clients spell `AzureWorkload` in two ways. */
function withCanonicalKind(properties: unknown): unknown {
  if (typeof properties !== "object" || properties === null) return properties;
  const kind = Reflect.get(properties, "backupManagementType") as unknown;
  const canonical = ["AzureIaasVM", "AzureStorage", "AzureWorkload"].find(
    (known) => typeof kind === "string" && known.toLowerCase() === kind.toLowerCase(),
  );
  return canonical === undefined ? properties : { ...properties, backupManagementType: canonical };
}

function fromWire(wire: WirePolicy, before: Policy | undefined, problems: Problem[]): Policy {
  const at = "properties";
  switch (wire.backupManagementType) {
    case "AzureIaasVM": {
      const schedule = readRuns(wire.schedulePolicy, `${at}.schedulePolicy`, problems);
      const isV2 = wire.schedulePolicy.schedulePolicyType === "SimpleSchedulePolicyV2";
      if (wire.policyType === (isV2 ? "V1" : "V2")) {
        problems.push({
          field: `${at}.policyType`,
          seen: wire.policyType,
          remedy: "V1 goes with SimpleSchedulePolicy, V2 with SimpleSchedulePolicyV2.",
        });
      }
      const extras = before?.management === "AzureIaasVM" ? before.extras : noExtras;
      const isWeekly = schedule.kind === "weekly";
      return {
        management: "AzureIaasVM",
        version: isV2 ? "V2" : "V1",
        schedule,
        retention: readLongTerm(wire.retentionPolicy, schedule, `${at}.retentionPolicy`, problems),
        timeZone: wire.timeZone ?? "UTC",
        instantDays: wire.instantRpRetentionRangeInDays ?? (isWeekly ? 5 : isV2 ? 7 : 2),
        snapshotGroup: {
          prefix: given(wire.instantRPDetails?.azureBackupRGNamePrefix),
          suffix: given(wire.instantRPDetails?.azureBackupRGNameSuffix),
        },
        tiering: readTiering(wire.tieringPolicy),
        onlyCrashConsistent: wire.snapshotConsistencyType === "OnlyCrashConsistent",
        extras: wire.holdfast === undefined ? extras : readExtras(wire.holdfast),
      };
    }
    case "AzureStorage": {
      const schedule = readRuns(wire.schedulePolicy, `${at}.schedulePolicy`, problems);
      return {
        management: "AzureStorage",
        schedule,
        retention: readLongTerm(wire.retentionPolicy, schedule, `${at}.retentionPolicy`, problems),
        timeZone: wire.timeZone ?? "UTC",
      };
    }
    case "AzureWorkload":
      return {
        management: "AzureWorkload",
        workload: wire.workLoadType,
        timeZone: wire.settings?.timeZone ?? "UTC",
        isCompressed: wire.settings?.isCompression ?? wire.settings?.issqlcompression ?? false,
        parts: wire.subProtectionPolicy.map((part, index) => {
          const place = `${at}.subProtectionPolicy.${index}`;
          const schedule = readSchedule(part.schedulePolicy, `${place}.schedulePolicy`, problems);
          return {
            type: part.policyType,
            schedule,
            retention: readRetention(part.retentionPolicy, schedule, `${place}.retentionPolicy`, problems),
            tiering: part.tieringPolicy?.ArchivedRP ? readTiering(part.tieringPolicy) : undefined,
          };
        }),
      };
  }
}

const noExtras: Extras = { intervalMinutes: undefined, followDaylightSaving: false, everyPointInVault: false };

function readExtras(wire: Extract<WirePolicy, { backupManagementType: "AzureIaasVM" }>["holdfast"]): Extras {
  return {
    intervalMinutes: wire?.intervalInMinutes ?? undefined,
    followDaylightSaving: wire?.followDaylightSaving ?? false,
    everyPointInVault: wire?.everyPointInVault ?? false,
  };
}

function readSchedule(wire: WireSchedule, at: string, problems: Problem[]): Schedule | LogSchedule {
  if (wire.schedulePolicyType === "LogSchedulePolicy")
    return { kind: "log", everyMinutes: wire.scheduleFrequencyInMins };
  const isV2 = wire.schedulePolicyType === "SimpleSchedulePolicyV2";
  switch (wire.scheduleRunFrequency) {
    case "Daily": {
      const times = isV2 ? wire.dailySchedule?.scheduleRunTimes : wire.scheduleRunTimes;
      return { kind: "daily", times: times ?? [] };
    }
    case "Weekly": {
      const weekly = isV2 ? wire.weeklySchedule : wire;
      return {
        kind: "weekly",
        days: weekly?.scheduleRunDays ?? [],
        times: weekly?.scheduleRunTimes ?? [],
        everyWeeks: isV2 ? 1 : Math.max(1, wire.scheduleWeeklyFrequency ?? 1),
      };
    }
    case "Hourly": {
      const hourly = wire.hourlySchedule;
      if (hourly === undefined || hourly === null) {
        problems.push({
          field: `${at}.hourlySchedule`,
          seen: undefined,
          remedy: "Give interval, scheduleWindowStartTime and scheduleWindowDuration, or choose Daily or Weekly.",
        });
      }
      return {
        kind: "hourly",
        everyHours: hourly?.interval ?? 24,
        start: hourly?.scheduleWindowStartTime ?? "2026-01-01T00:00:00Z",
        windowHours: hourly?.scheduleWindowDuration ?? 24,
      };
    }
  }
}

function readRuns(wire: WireSchedule, at: string, problems: Problem[]): Schedule {
  const schedule = readSchedule(wire, at, problems);
  if (schedule.kind !== "log") return schedule;
  problems.push({
    field: `${at}.schedulePolicyType`,
    seen: wire.schedulePolicyType,
    remedy: "It is for logs of databases: use SimpleSchedulePolicy or SimpleSchedulePolicyV2.",
  });
  return { kind: "daily", times: [] };
}

function readRetention(
  wire: WireRetention,
  schedule: Schedule | LogSchedule,
  at: string,
  problems: Problem[],
): Retention | SimpleRetention {
  if (wire.retentionPolicyType === "SimpleRetentionPolicy")
    return { kind: "simple", duration: readDuration(wire.retentionDuration) };
  const fallback = runTimes(schedule);
  const rule = (one: {
    retentionTimes?: readonly string[] | null;
    retentionDuration: WireDuration;
  }): RetentionRule => ({
    times: one.retentionTimes ?? fallback,
    duration: readDuration(one.retentionDuration),
  });
  const { dailySchedule: daily, weeklySchedule: weekly, monthlySchedule: monthly, yearlySchedule: yearly } = wire;
  const daysOf = (one: WireMonthly, name: string): MonthDays => readMonthDays(one, `${at}.${name}`, problems);
  return {
    kind: "longTerm",
    daily: daily ? rule(daily) : undefined,
    weekly: weekly ? { ...rule(weekly), days: weekly.daysOfTheWeek } : undefined,
    monthly: monthly ? { ...rule(monthly), on: daysOf(monthly, "monthlySchedule") } : undefined,
    yearly: yearly ? { ...rule(yearly), on: daysOf(yearly, "yearlySchedule"), months: yearly.monthsOfYear } : undefined,
  };
}

function readLongTerm(wire: WireRetention, schedule: Schedule, at: string, problems: Problem[]): Retention {
  const retention = readRetention(wire, schedule, at, problems);
  if (retention.kind === "longTerm") return retention;
  problems.push({
    field: `${at}.retentionPolicyType`,
    seen: wire.retentionPolicyType,
    remedy: "It is for logs of databases: use LongTermRetentionPolicy.",
  });
  return { kind: "longTerm", daily: undefined, weekly: undefined, monthly: undefined, yearly: undefined };
}

type WireLongTerm = Extract<WireRetention, { retentionPolicyType: "LongTermRetentionPolicy" }>;
type WireMonthly = NonNullable<WireLongTerm["monthlySchedule"]>;
type WireDuration = WireMonthly["retentionDuration"];

function readMonthDays(wire: WireMonthly, at: string, problems: Problem[]): MonthDays {
  if (wire.retentionScheduleFormatType === "Weekly") {
    const weekly = wire.retentionScheduleWeekly;
    return { format: "Weekly", days: weekly?.daysOfTheWeek ?? [], weeks: weekly?.weeksOfTheMonth ?? [] };
  }
  const listed = wire.retentionScheduleDaily?.daysOfTheMonth ?? [];
  const dates = listed.filter((day) => day.isLast !== true).map((day) => day.date ?? 0);
  const wrong = dates.find((date) => date < 1 || date > 28);
  if (wrong !== undefined) {
    problems.push({
      field: `${at}.retentionScheduleDaily.daysOfTheMonth`,
      seen: wrong,
      remedy: 'Days are 1 to 28; write {"date": 0, "isLast": true} for the last day of a month.',
    });
  }
  return {
    format: "Daily",
    dates: [...new Set(dates)].sort((a, b) => a - b),
    last: listed.some((day) => day.isLast === true),
  };
}

function readDuration(wire: WireDuration): Duration {
  return { count: wire.count, unit: wire.durationType };
}

function readTiering(wire: WireTiering): Tiering {
  const archived = wire?.ArchivedRP;
  const mode = archived?.tieringMode;
  if (mode === undefined || mode === null || mode === "DoNotTier" || mode === "Invalid")
    return { mode: "DoNotTier", duration: undefined };
  const unit = archived?.durationType;
  const isSet = unit !== undefined && unit !== null && unit !== "Invalid";
  return { mode, duration: isSet ? { count: archived?.duration ?? 0, unit } : undefined };
}

function given(text: string | null | undefined): string | undefined {
  return text === null || text === "" ? undefined : text;
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  let value = body;
  for (const key of path) value = typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
  return value;
}
