// Policies of databases: one full backup, and what may stand beside it.

import { checkRetention, checkTiering } from "./check-retention.ts";
import { durationDays, type WorkloadPart, type WorkloadPolicy } from "./policy.ts";
import type { Problem } from "./problems.ts";

export function checkWorkload({ parts }: WorkloadPolicy): Problem[] {
  const types = parts.map(({ type }) => type);
  const problems: Problem[] = [];
  const list = "properties.subProtectionPolicy";
  if (!types.some((type) => type === "Full" || type === "SnapshotFull"))
    problems.push({ field: list, seen: types, remedy: "There must be a sub-policy of type Full." });
  if (new Set(types).size !== types.length)
    problems.push({ field: list, seen: types, remedy: "Each type may stand there once." });
  if (types.includes("Differential") && types.includes("Incremental")) {
    const remedy = "Differential and Incremental exclude each other.";
    problems.push({ field: list, seen: types, remedy });
  }
  problems.push(...parts.flatMap((part, index) => checkPart(part, `${list}.${index}`)));
  const full = parts.find(({ type }) => type === "Full");
  const differential = parts.findIndex(({ type }) => type === "Differential");
  const shared = sharedDays(full, parts[differential]);
  if (shared.length > 0) {
    const remedy = "A differential backup must not run on a day of the full one.";
    problems.push({ field: `${list}.${differential}.schedulePolicy.scheduleRunDays`, seen: shared, remedy });
  }
  return problems;
}

function checkPart({ type, schedule, retention, tiering }: WorkloadPart, at: string): Problem[] {
  if (type === "Log") return checkLog(schedule, retention, at);
  if (schedule.kind === "log") {
    const remedy = "Only the sub-policy of type Log has a LogSchedulePolicy.";
    return [{ field: `${at}.schedulePolicy.schedulePolicyType`, seen: "LogSchedulePolicy", remedy }];
  }
  const problems: Problem[] = [];
  if (type === "Differential" && (schedule.kind !== "weekly" || schedule.days.length !== 1)) {
    const remedy = "A differential backup runs Weekly, on exactly one day.";
    const seen = schedule.kind === "weekly" ? schedule.days : schedule.kind;
    problems.push({ field: `${at}.schedulePolicy.scheduleRunDays`, seen, remedy });
  }
  const runs = schedule.kind === "hourly" ? [schedule.start] : schedule.times;
  if (runs.length !== 1)
    problems.push({ field: `${at}.schedulePolicy.scheduleRunTimes`, seen: runs, remedy: "Give exactly one time." });
  if (retention.kind === "simple") {
    const days = durationDays(retention.duration);
    if (days < 7 || days > 9999) {
      const remedy = "Choose 7 to 9999 days.";
      problems.push({ field: `${at}.retentionPolicy.retentionDuration.count`, seen: retention.duration.count, remedy });
    }
  } else {
    problems.push(...checkRetention(schedule, retention, { at: `${at}.retentionPolicy`, fewestDays: 7 }));
    if (tiering !== undefined) problems.push(...checkTiering(tiering, retention, `${at}.tieringPolicy.ArchivedRP`));
  }
  return problems;
}

const logIntervals = [15, 30, 60, 120, 240, 480, 720, 1440];

function checkLog(schedule: WorkloadPart["schedule"], retention: WorkloadPart["retention"], at: string): Problem[] {
  if (schedule.kind !== "log") {
    const remedy = "Logs need LogSchedulePolicy with scheduleFrequencyInMins.";
    return [{ field: `${at}.schedulePolicy.schedulePolicyType`, seen: "SimpleSchedulePolicy", remedy }];
  }
  const problems: Problem[] = [];
  if (!logIntervals.includes(schedule.everyMinutes)) {
    const remedy = `Choose one of ${logIntervals.join(", ")}.`;
    problems.push({ field: `${at}.schedulePolicy.scheduleFrequencyInMins`, seen: schedule.everyMinutes, remedy });
  }
  const days = retention.kind === "simple" ? durationDays(retention.duration) : undefined;
  if (days === undefined || days < 7 || days > 35) {
    const remedy = "Logs are kept 7 to 35 days under a SimpleRetentionPolicy.";
    problems.push({ field: `${at}.retentionPolicy.retentionDuration`, seen: days, remedy });
  }
  return problems;
}

function sharedDays(full: WorkloadPart | undefined, differential: WorkloadPart | undefined): readonly string[] {
  if (full?.schedule.kind !== "weekly" || differential?.schedule.kind !== "weekly") return [];
  const { days } = full.schedule;
  return differential.schedule.days.filter((day) => days.includes(day));
}
