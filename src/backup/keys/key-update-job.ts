// A vault whose key has changed is opened with it once more, by a job that everybody sees in the list: the
// change itself is done when the request for it is answered, because only the key that opens the vault's
// store is wrapped anew.

import { createJob } from "../jobs/create-job.ts";
import type { JobHandler } from "../jobs/handler.ts";
import { JobFailure } from "../jobs/job-error.ts";
import type { Job } from "../jobs/job.ts";
import { openVaultStore } from "../points/tiers.ts";
import { backupFailure } from "../run/failures.ts";
import type { Database } from "../../db/database.ts";
import type { Stores } from "../stores/stores.ts";
import type { Doer } from "../vaults/policies.ts";
import { findVault, type Vault, type Writer } from "../vaults/vaults.ts";

const openTask = "Open the vault with the key";

export function startKeyUpdate(trx: Writer, vault: Pick<Vault, "key">, keyUri: string, by: Doer): Promise<Job> {
  return createJob(trx, {
    vault,
    operation: "UpdateCustomerManagedKey",
    tasks: [openTask],
    properties: { "Key Uri": keyUri },
    isUserTriggered: true,
    by,
  });
}

export function keyUpdateHandler(parts: { readonly database: Database; readonly stores: Stores }): JobHandler {
  return {
    run: async ({ job, signal, startTask, finishTask }) => {
      const vault = await findVault(parts.database.kysely, job.vaultKey);
      if (vault === undefined)
        throw new JobFailure("UserErrorBcmDatasourceNotPresent", "The vault does not exist any more.");
      await startTask(openTask);
      try {
        await using _opened = await openVaultStore(parts.stores, vault);
      } catch (error) {
        signal.throwIfAborted();
        throw backupFailure(error);
      }
      await finishTask(openTask);
    },
  };
}
