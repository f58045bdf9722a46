// Which items have to be backed up now. Pure in the items, the policies and the time: missed runs, a
// restart and a changed policy need no repair, and what was missed while nobody looked is one run.

import type { Policy } from "../policy/policy.ts";
import { latestRun, timetableOf } from "../schedule/runs.ts";

export interface ScheduledItem {
  readonly key: string;
  readonly vaultKey: string;
  readonly policyKey: string;
  readonly lastRunAt: number;
}

export interface ScheduledPolicy {
  readonly policy: Policy;
  /** The schedule holds from then on. */
  readonly changedAt: number;
}

export interface DueRun {
  readonly key: string;
  readonly dueAt: number;
}

/** `policyOf`: by the lower-case names of vault and policy. */
export function dueItems(
  items: readonly ScheduledItem[],
  policyOf: (vaultKey: string, policyKey: string) => ScheduledPolicy | undefined,
  now: number,
): { readonly due: readonly DueRun[]; readonly fromTheFuture: readonly string[] } {
  const runs = new Map<ScheduledPolicy, number | undefined>();
  const due: DueRun[] = [];
  const fromTheFuture: string[] = [];
  for (const { key, vaultKey, policyKey, lastRunAt } of items) {
    // The clock was set back: what has run counts as having run now.
    if (lastRunAt > now) {
      fromTheFuture.push(key);
      continue;
    }
    const scheduled = policyOf(vaultKey, policyKey);
    if (scheduled === undefined) continue;
    if (!runs.has(scheduled)) runs.set(scheduled, latestRun(timetableOf(scheduled.policy), now));
    const dueAt = runs.get(scheduled);
    if (dueAt !== undefined && dueAt > Math.max(lastRunAt, scheduled.changedAt)) due.push({ key, dueAt });
  }
  return { due, fromTheFuture };
}
