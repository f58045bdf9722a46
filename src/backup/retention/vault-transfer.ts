// Which points leave the snapshot tier for the vault: all of a daily or weekly policy, and of an hourly
// one the last of each day. When that one failed, the first that succeeds afterwards takes its place.

import type { Policy } from "../policy/policy.ts";
import { isLastOfDay, latestRun, timetableOf } from "../schedule/runs.ts";
import { marksOf } from "./marks.ts";

/** `lastInVault`: due time of the latest point of this item that the vault holds, if there is one. */
export function goesToVault(policy: Policy, dueAt: number, lastInVault: number | undefined): boolean {
  if (!marksOf(policy, dueAt).competes || lastInVault === undefined) return true;
  const timetable = timetableOf(policy);
  if (isLastOfDay(timetable, dueAt)) return true;
  const { clock } = timetable;
  const beginOfDay = clock.instantOf(clock.localOf(dueAt).day, 0);
  const lastBefore = latestRun(timetable, beginOfDay - 1);
  return lastBefore !== undefined && lastInVault < lastBefore;
}
