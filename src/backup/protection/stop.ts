// Ending protection, in its steps: stop and keep the points for ever, suspend and let them go by the
// policy, delete with the data (which a vault with soft delete keeps for a while), and the way back.

import { scopeOf } from "../../db/transaction.ts";
import { createJob } from "../jobs/create-job.ts";
import type { Job, JobOperation } from "../jobs/job.ts";
import { openJobsOf } from "../jobs/read-jobs.ts";
import type { Doer } from "../vaults/policies.ts";
import type { Vault, Writer } from "../vaults/vaults.ts";
import { changeItem } from "./change-item.ts";
import { protectionErrors } from "./errors.ts";
import type { ProtectedItem } from "./item.ts";

interface Changed {
  readonly item: ProtectedItem;
  readonly job: Job;
}

const dayMilliseconds = 86_400_000;
const worksWithData: ReadonlySet<JobOperation> = new Set(["Backup", "Restore", "CrossRegionRestore"]);

export async function stopProtection(trx: Writer, vault: Vault, item: ProtectedItem, by: Doer): Promise<Changed> {
  refuseDeleted(item);
  const change = { state: "ProtectionStopped", policy_key: null, disks: null };
  const stopped = await changeItem(trx, item, change, "item.stopped", by);
  return { item: stopped, job: await jobOn(trx, vault, stopped, "DisableBackup", by) };
}

export async function suspendProtection(trx: Writer, vault: Vault, item: ProtectedItem, by: Doer): Promise<Changed> {
  refuseDeleted(item);
  if (vault.settings.immutability === "Disabled") {
    throw protectionErrors.BMSUserErrorSuspendNeedsImmutability(
      `Backups of '${item.friendlyName}' cannot be suspended with points that expire: the vault is not immutable.`,
      { target: "properties.protectionState" },
    );
  }
  if (item.policyKey === undefined) {
    throw protectionErrors.BMSUserErrorProtectionStateInvalid(
      `The protection of '${item.friendlyName}' is stopped: there is no policy by which its points could expire.`,
      { target: "properties.protectionState" },
    );
  }
  const suspended = await changeItem(trx, item, { state: "BackupsSuspended" }, "item.suspended", by);
  return { item: suspended, job: await jobOn(trx, vault, suspended, "DisableBackup", by) };
}

/** With its points: they can be had back as long as the vault's soft delete says, or are gone with the job. */
export async function deleteProtection(trx: Writer, vault: Vault, item: ProtectedItem, by: Doer): Promise<Changed> {
  refuseDeleted(item);
  if (vault.settings.immutability !== "Disabled" && item.points.count > 0) {
    throw protectionErrors.BMSUserErrorImmutabilityViolation(
      `The vault is immutable: the ${item.points.count} recovery points of '${item.friendlyName}' cannot be deleted.`,
      { target: item.id },
    );
  }
  const busy = (await openJobsOf(trx, item.key)).find(({ operation }) => worksWithData.has(operation));
  if (busy !== undefined) {
    throw protectionErrors.BMSUserErrorItemBusy(
      `The data of '${item.friendlyName}' cannot be deleted while the job ${busy.id} (${busy.operation}) works with it.`,
      { target: item.id },
    );
  }
  const now = scopeOf(trx).clock.now();
  const { state, retentionDays } = vault.settings.softDelete;
  // As in Azure also an item that was never backed up: its protection can be had back.
  const days = state === "Disabled" ? 0 : retentionDays;
  const deleted = await changeItem(
    trx,
    item,
    {
      state: "ProtectionStopped",
      policy_key: null,
      disks: null,
      deleted_at: now,
      purge_at: now + days * dayMilliseconds,
      soft_delete_days: days,
    },
    "item.deleted",
    by,
  );
  await trx.updateTable("recovery_points").set({ is_soft_deleted: 1 }).where("item_key", "=", item.key).execute();
  return { item: deleted, job: await jobOn(trx, vault, deleted, "DeleteBackupData", by, { purges: days === 0 }) };
}

export async function undeleteProtection(trx: Writer, vault: Vault, item: ProtectedItem, by: Doer): Promise<Changed> {
  if (item.deletion === undefined || item.deletion.purgeAt <= scopeOf(trx).clock.now()) {
    throw protectionErrors.BMSUserErrorItemNotSoftDeleted(
      `The backups of '${item.friendlyName}' are not in the soft-deleted state, so there is no deletion to take back.`,
      { target: item.id },
    );
  }
  const change = { deleted_at: null, purge_at: null, soft_delete_days: null };
  const back = await changeItem(trx, item, change, "item.undeleted", by);
  await trx.updateTable("recovery_points").set({ is_soft_deleted: 0 }).where("item_key", "=", item.key).execute();
  return { item: back, job: await jobOn(trx, vault, back, "Undelete", by) };
}

export function refuseDeleted(item: ProtectedItem): void {
  if (item.deletion === undefined) return;
  throw protectionErrors.BMSUserErrorItemSoftDeleted(
    `The backups of '${item.friendlyName}' are in the soft-deleted state.`,
    { target: item.id },
  );
}

function jobOn(
  trx: Writer,
  vault: Vault,
  item: ProtectedItem,
  operation: JobOperation,
  by: Doer,
  input?: object,
): Promise<Job> {
  return createJob(trx, {
    vault,
    operation,
    item: { key: item.key, name: item.friendlyName, container: item.containerName },
    properties: { "VM Name": item.friendlyName },
    ...(input === undefined ? {} : { input }),
    isUserTriggered: true,
    by,
  });
}
