// Looks each second, by the service's clock, which items are due, and begins their backups. One process
// of all does it, under a lease.

import type { Database } from "../../db/database.ts";
import { withLease } from "../../db/leases.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { sleep } from "../../lib/time.ts";
import type { Policy } from "../policy/policy.ts";
import { ownDoer } from "../protection/item-events.ts";
import { findItem } from "../protection/item.ts";
import { startScheduledBackup } from "../run/start-backup.ts";
import { dueItems, type DueRun, type ScheduledPolicy } from "./due-items.ts";

export interface SchedulerParts {
  readonly database: Database;
  readonly holder: string;
  readonly report: (error: unknown) => void;
}

const tickMilliseconds = 1000;
const leaseMilliseconds = 10_000;
/** Between two batches others may write. */
const batchSize = 25;

/** Works until `signal`. */
export async function runScheduler(parts: SchedulerParts, signal: AbortSignal): Promise<void> {
  const terms = { name: "backup-scheduler", milliseconds: leaseMilliseconds, holder: parts.holder };
  while (!signal.aborted) {
    try {
      await withLease(parts.database, terms, (_lease, held) => keepTicking(parts, held), signal);
    } catch (error) {
      if (!signal.aborted) parts.report(error);
    }
    await sleep(tickMilliseconds, signal).catch(() => {});
  }
}

async function keepTicking(parts: SchedulerParts, signal: AbortSignal): Promise<void> {
  const policies = policyMemory();
  while (!signal.aborted) {
    await tick(parts.database, policies);
    await sleep(tickMilliseconds, signal);
  }
}

/** One look. Answers how many backups began. */
export async function tick(database: Database, policies: PolicyMemory = policyMemory()): Promise<number> {
  const now = database.clock.now();
  const items = await database.kysely
    .selectFrom("protected_items")
    .select(["key", "vault_key", "policy_key", "last_run_at"])
    .where("policy_key", "is not", null)
    .where("state", "in", ["IRPending", "Protected"])
    .where("deleted_at", "is", null)
    .execute();
  if (items.length === 0) return 0;
  const policyOf = await policies.read(database);
  const { due, fromTheFuture } = dueItems(
    items.map((row) => ({
      key: row.key,
      vaultKey: row.vault_key,
      policyKey: row.policy_key ?? "",
      lastRunAt: row.last_run_at,
    })),
    policyOf,
    now,
  );
  for (const key of fromTheFuture) {
    await database.kysely.updateTable("protected_items").set({ last_run_at: now }).where("key", "=", key).execute();
  }
  let begun = 0;
  for (let at = 0; at < due.length; at += batchSize) begun += await begin(database, due.slice(at, at + batchSize));
  return begun;
}

async function begin(database: Database, runs: readonly DueRun[]): Promise<number> {
  let begun = 0;
  await database.transaction(async (trx) => {
    begun = 0;
    for (const { key, dueAt } of runs) {
      const item = await findItem(trx, key);
      if (item === undefined || item.policyKey === undefined || item.lastRunAt >= dueAt) continue;
      const host = await trx
        .selectFrom("machines")
        .select("host_id")
        .where("key", "=", item.machineKey)
        .executeTakeFirst();
      try {
        await startScheduledBackup(trx, { key: item.vaultKey }, item, dueAt, host?.host_id, ownDoer(item.itemId));
      } catch (error) {
        // It runs when the present job has ended.
        if (isErrorCode(error, "UserErrorBackupOperationInProgress")) continue;
        throw error;
      }
      await trx.updateTable("protected_items").set({ last_run_at: dueAt }).where("key", "=", key).execute();
      begun += 1;
    }
  });
  return begun;
}

export interface PolicyMemory {
  read(database: Database): Promise<(vaultKey: string, policyKey: string) => ScheduledPolicy | undefined>;
}

/** Policies are parsed once for each change. */
export function policyMemory(): PolicyMemory {
  let known = new Map<string, ScheduledPolicy & { readonly etag: string }>();
  return {
    read: async (database) => {
      const marks = await database.kysely.selectFrom("policies").select(["vault_key", "name_key", "etag"]).execute();
      const next: typeof known = new Map();
      for (const { vault_key, name_key, etag } of marks) {
        const key = `${vault_key}\n${name_key}`;
        const old = known.get(key);
        if (old?.etag === etag) {
          next.set(key, old);
          continue;
        }
        const row = await database.kysely
          .selectFrom("policies")
          .select(["policy", "changed_at"])
          .where("vault_key", "=", vault_key)
          .where("name_key", "=", name_key)
          .executeTakeFirst();
        if (row !== undefined)
          next.set(key, { policy: JSON.parse(row.policy) as Policy, changedAt: row.changed_at, etag });
      }
      known = next;
      return (vaultKey, policyKey) => next.get(`${vaultKey}\n${policyKey}`);
    },
  };
}
