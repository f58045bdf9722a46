// Beginning a backup, by hand or by schedule: the job's row. Whether the machine can be reached is for
// the job itself to find out, so that it is seen in the list of jobs.

import { scopeOf } from "../../db/transaction.ts";
import type { InventoryMachine } from "../../inventory/inventory.ts";
import { isoTime } from "../../lib/clock.ts";
import { createJob } from "../jobs/create-job.ts";
import type { Job } from "../jobs/job.ts";
import { protectionErrors } from "../protection/errors.ts";
import type { ProtectedItem } from "../protection/item.ts";
import { refuseDeleted } from "../protection/stop.ts";
import type { Doer } from "../vaults/policies.ts";
import type { Vault, Writer } from "../vaults/vaults.ts";
import { backupTasks, type BackupInput } from "./backup-input.ts";

const dayMilliseconds = 86_400_000;
/** Azure's bound of attempts for one item in a day (UTC). */
const mostOnDemand = 9;
const farthestYears = 99;

export interface OnDemandBackup {
  readonly vault: Vault;
  readonly item: ProtectedItem;
  readonly machine: InventoryMachine | undefined;
  /** 30 days from now when absent. */
  readonly expiresAt: number | undefined;
  readonly by: Doer;
}

export async function startOnDemandBackup(trx: Writer, request: OnDemandBackup): Promise<Job> {
  const { item, vault, by } = request;
  const now = scopeOf(trx).clock.now();
  refuseDeleted(item);
  if (item.policyKey === undefined || item.state === "BackupsSuspended") {
    throw protectionErrors.BMSUserErrorProtectionNotConfigured(
      `The protection of '${item.friendlyName}' is stopped (${item.state}); it cannot be backed up.`,
      { target: item.id },
    );
  }
  const expiresAt = request.expiresAt ?? now + 30 * dayMilliseconds;
  if (expiresAt <= now || expiresAt > now + farthestYears * 366 * dayMilliseconds) {
    throw protectionErrors.BMSUserErrorInvalidRecoveryPointExpiry(
      `recoveryPointExpiryTimeInUTC is ${isoTime(expiresAt)}. Choose a time after ${isoTime(now)}, at most ${farthestYears} years from it.`,
      { target: "properties.recoveryPointExpiryTimeInUTC" },
    );
  }
  await refuseTooMany(trx, item, now);
  return createJob(trx, {
    ...draftOf(item, vault, { kind: "onDemand", dueAt: now, expiresAt }, request.machine?.hostId),
    properties: {
      "VM Name": item.friendlyName,
      "Policy Name": item.policyKey,
      "Recovery Point Expiry Time in UTC": isoTime(expiresAt),
    },
    isUserTriggered: true,
    by,
  });
}

export async function startScheduledBackup(
  trx: Writer,
  vault: Pick<Vault, "key">,
  item: ProtectedItem,
  dueAt: number,
  hostId: string | undefined,
  by: Doer,
): Promise<Job> {
  return createJob(trx, {
    ...draftOf(item, vault, { kind: "scheduled", dueAt }, hostId),
    properties: { "VM Name": item.friendlyName, "Policy Name": item.policyKey ?? "" },
    isUserTriggered: false,
    by,
  });
}

function draftOf(
  item: ProtectedItem,
  vault: Pick<Vault, "key">,
  input: BackupInput,
  hostId: string | undefined,
): Pick<
  Parameters<typeof createJob>[1],
  "vault" | "operation" | "item" | "exclusiveKey" | "hostId" | "tasks" | "isCancellable" | "input"
> {
  return {
    vault,
    operation: "Backup",
    item: { key: item.key, name: item.friendlyName, container: item.containerName },
    exclusiveKey: item.machineKey,
    ...(hostId === undefined ? {} : { hostId }),
    tasks: backupTasks,
    isCancellable: true,
    input,
  };
}

async function refuseTooMany(trx: Writer, item: ProtectedItem, now: number): Promise<void> {
  const today = Math.floor(now / dayMilliseconds) * dayMilliseconds;
  const { count } = await trx
    .selectFrom("jobs")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("item_key", "=", item.key)
    .where("operation", "=", "Backup")
    .where("is_user_triggered", "=", 1)
    .where("started_at", ">=", today)
    .executeTakeFirstOrThrow();
  if (Number(count) < mostOnDemand) return;
  throw protectionErrors.BMSUserErrorOnDemandLimitReached(
    `'${item.friendlyName}' was backed up ${count} times on demand today; ${mostOnDemand} is the most.`,
    { target: item.id },
  );
}
