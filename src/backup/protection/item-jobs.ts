// The jobs that follow a change of protection. The state has changed with the request; what is left to do
// outside the control data is done here.

import type { Database } from "../../db/database.ts";
import type { JobContext, JobHandler } from "../jobs/handler.ts";
import { JobFailure } from "../jobs/job-error.ts";
import type { JobOperation } from "../jobs/job.ts";
import { backupFailure } from "../run/failures.ts";
import { ensureVaultStore } from "../points/tiers.ts";
import { purgeItem } from "../soft-delete/purge-item.ts";
import type { Stores } from "../stores/stores.ts";
import { findVault } from "../vaults/vaults.ts";
import { findItem } from "./item.ts";

export interface ItemJobParts {
  readonly database: Database;
  readonly stores: Stores;
}

export function itemJobHandlers(parts: ItemJobParts): Readonly<Partial<Record<JobOperation, JobHandler>>> {
  return {
    ConfigureBackup: { run: (context) => prepareStore(parts, context) },
    DeleteBackupData: { run: (context) => deleteData(parts, context) },
    // All that they mean became true with the request.
    DisableBackup: { run: async () => {} },
    Undelete: { run: async () => {} },
  };
}

/** So that a vault whose place cannot be used says so at once, not at night. */
async function prepareStore({ database, stores }: ItemJobParts, { job, signal }: JobContext): Promise<void> {
  const vault = await findVault(database.kysely, job.vaultKey);
  if (vault === undefined)
    throw new JobFailure("UserErrorBcmDatasourceNotPresent", "The vault does not exist any more.");
  try {
    await ensureVaultStore(stores, vault, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw backupFailure(error);
  }
}

async function deleteData(parts: ItemJobParts, { job, signal }: JobContext): Promise<void> {
  const item = job.itemKey === undefined ? undefined : await findItem(parts.database.kysely, job.itemKey);
  if (item?.deletion === undefined || item.deletion.days > 0) return;
  const vault = await findVault(parts.database.kysely, job.vaultKey);
  await purgeItem(parts, vault, item, { actor: job.actor, correlationId: job.correlationId }, signal);
}
