// What a policy must fulfil beyond its shape: Azure's rules, each with its field and its remedy.

import { windowsZones } from "../schedule/windows-zones.ts";
import { checkRetention, checkTiering } from "./check-retention.ts";
import { checkWorkload } from "./check-workload.ts";
import { intervalMinutes, type MachinePolicy, type Policy, type Schedule } from "./policy.ts";
import type { Problem } from "./problems.ts";

export function checkPolicy(policy: Policy): Problem[] {
  const zone = checkTimeZone(policy);
  switch (policy.management) {
    case "AzureIaasVM":
      return [
        ...zone,
        ...checkSchedule(policy.schedule, policy.version),
        ...checkExtras(policy),
        ...checkInstantDays(policy),
        ...checkSnapshotGroup(policy),
        ...checkConsistency(policy),
        ...checkRetention(policy.schedule, policy.retention, {
          at: "properties.retentionPolicy",
          fewestDays: policy.extras.intervalMinutes === undefined ? 7 : 1,
        }),
        ...checkCover(policy),
        ...checkTiering(policy.tiering, policy.retention, "properties.tieringPolicy.ArchivedRP"),
      ];
    case "AzureStorage":
      return [
        ...zone,
        ...checkSchedule(policy.schedule, "V2"),
        ...checkRetention(policy.schedule, policy.retention, { at: "properties.retentionPolicy", fewestDays: 1 }),
      ];
    case "AzureWorkload":
      return [...zone, ...checkWorkload(policy)];
  }
}

function checkTimeZone({ management, timeZone }: Policy): Problem[] {
  if (Object.hasOwn(windowsZones, timeZone)) return [];
  const field = management === "AzureWorkload" ? "properties.settings.timeZone" : "properties.timeZone";
  const known = Object.keys(windowsZones).find((name) => name.toLowerCase() === timeZone.toLowerCase());
  const fromIana = Object.entries(windowsZones).find(([, iana]) => iana.toLowerCase() === timeZone.toLowerCase())?.[0];
  const suggestion = known ?? fromIana;
  return [
    {
      field,
      seen: timeZone,
      remedy:
        suggestion === undefined
          ? "Write a Windows time zone name, such as UTC, Pacific Standard Time or W. Europe Standard Time."
          : `Write it as '${suggestion}'.`,
    },
  ];
}

function checkSchedule(schedule: Schedule, version: "V1" | "V2"): Problem[] {
  const at = "properties.schedulePolicy";
  switch (schedule.kind) {
    case "daily":
      return checkOneTime(schedule.times, version === "V2" ? `${at}.dailySchedule.scheduleRunTimes` : timesField);
    case "weekly": {
      const place = version === "V2" ? `${at}.weeklySchedule` : at;
      const days: Problem[] =
        schedule.days.length > 0
          ? []
          : [{ field: `${place}.scheduleRunDays`, seen: [], remedy: "Name at least one day, such as Sunday." }];
      return [...days, ...checkOneTime(schedule.times, `${place}.scheduleRunTimes`)];
    }
    case "hourly":
      if (version === "V1") {
        const remedy = "Hourly backups need policyType V2 with SimpleSchedulePolicyV2; V1 runs Daily or Weekly.";
        return [{ field: `${at}.scheduleRunFrequency`, seen: "Hourly", remedy }];
      }
      return checkHourly(schedule.everyHours, schedule.windowHours);
  }
}

const timesField = "properties.schedulePolicy.scheduleRunTimes";

function checkOneTime(times: readonly string[], field: string): Problem[] {
  if (times.length === 1) return [];
  return [{ field, seen: times, remedy: "Give exactly one time; for more backups a day choose Hourly with V2." }];
}

const intervals = [4, 6, 8, 12, 24];

function checkHourly(everyHours: number, windowHours: number): Problem[] {
  const at = "properties.schedulePolicy.hourlySchedule";
  const problems: Problem[] = [];
  if (!intervals.includes(everyHours))
    problems.push({ field: `${at}.interval`, seen: everyHours, remedy: "Choose 4, 6, 8, 12 or 24 hours." });
  if (windowHours < 1 || windowHours > 24)
    problems.push({ field: `${at}.scheduleWindowDuration`, seen: windowHours, remedy: "Choose 1 to 24 hours." });
  else if (windowHours < everyHours) {
    problems.push({
      field: `${at}.scheduleWindowDuration`,
      seen: windowHours,
      remedy: `Make the window at least as long as the interval of ${everyHours} hours.`,
    });
  }
  return problems;
}

function checkExtras({ extras, schedule }: MachinePolicy): Problem[] {
  const at = "properties.holdfast.intervalInMinutes";
  const minutes = extras.intervalMinutes;
  if (minutes === undefined) return [];
  if (schedule.kind !== "hourly")
    return [{ field: at, seen: minutes, remedy: "An interval in minutes needs scheduleRunFrequency Hourly." }];
  if (minutes < 1 || minutes > 1440) return [{ field: at, seen: minutes, remedy: "Choose 1 to 1440 minutes." }];
  if (minutes > schedule.windowHours * 60) {
    const remedy = `Make it at most the window of ${schedule.windowHours} hours.`;
    return [{ field: at, seen: minutes, remedy }];
  }
  return [];
}

function checkInstantDays({ version, schedule, instantDays, extras }: MachinePolicy): Problem[] {
  const field = "properties.instantRpRetentionRangeInDays";
  const [fewest, most] = instantRange(version, schedule, schedule.kind === "hourly" ? extras : undefined);
  if (instantDays >= fewest && instantDays <= most) return [];
  const remedy = fewest === most ? `It must be ${fewest} here.` : `Choose ${fewest} to ${most} days.`;
  return [{ field, seen: instantDays, remedy }];
}

function instantRange(
  version: "V1" | "V2",
  schedule: Schedule,
  extras: MachinePolicy["extras"] | undefined,
): readonly [number, number] {
  if (version === "V1") return schedule.kind === "weekly" ? [5, 5] : [1, 5];
  if (schedule.kind === "weekly") return [5, 20];
  if (schedule.kind === "daily") return [1, 30];
  const hours = intervalMinutes(schedule, extras) / 60;
  // The number of snapshots of one disk is limited, so the more a day the fewer days.
  return [1, hours === 4 ? 17 : hours === 6 ? 22 : 30];
}

function checkSnapshotGroup({ snapshotGroup }: MachinePolicy): Problem[] {
  const at = "properties.instantRPDetails";
  const parts = [
    ["azureBackupRGNamePrefix", snapshotGroup.prefix],
    ["azureBackupRGNameSuffix", snapshotGroup.suffix],
  ] as const;
  return parts.flatMap(([name, seen]): Problem[] =>
    seen === undefined || /^[\p{L}\p{N}_().-]{1,80}$/u.test(seen)
      ? []
      : [{ field: `${at}.${name}`, seen, remedy: "Use up to 80 letters, digits, '_', '-', '.', '(' and ')'." }],
  );
}

function checkConsistency({ onlyCrashConsistent, version }: MachinePolicy): Problem[] {
  if (!onlyCrashConsistent || version === "V2") return [];
  return [
    {
      field: "properties.snapshotConsistencyType",
      seen: "OnlyCrashConsistent",
      remedy: "Agentless crash-consistent backups need policyType V2.",
    },
  ];
}

/** A point's copy in the vault cannot go before its snapshot. */
function checkCover({ instantDays, schedule, retention }: MachinePolicy): Problem[] {
  const { daily, weekly } = retention;
  const rule = schedule.kind === "weekly" ? weekly : daily;
  if (rule === undefined) return [];
  const days = schedule.kind === "weekly" ? rule.duration.count * 7 : rule.duration.count;
  if (days >= instantDays) return [];
  return [
    {
      field: "properties.instantRpRetentionRangeInDays",
      seen: instantDays,
      remedy: `Snapshots cannot outlive the ${days} days of the ${schedule.kind === "weekly" ? "weekly" : "daily"} rule.`,
    },
  ];
}
