// A vault looked at because somebody asked: the same look as the caretaker's, as a job with progress. What
// it finds stands at the points, and in the job's warnings as far as they name it.

import type { Database } from "../../db/database.ts";
import { createJob } from "../jobs/create-job.ts";
import type { JobContext, JobHandler } from "../jobs/handler.ts";
import { jobError, JobFailure } from "../jobs/job-error.ts";
import type { Job } from "../jobs/job.ts";
import { listPointsOf } from "../points/point.ts";
import { openVaultStore } from "../points/tiers.ts";
import type { ProtectedItem } from "../protection/item.ts";
import { backupFailure } from "../run/failures.ts";
import { vaultStore } from "../stores/store-name.ts";
import type { OpenVaults, Stores } from "../stores/stores.ts";
import type { Doer } from "../vaults/policies.ts";
import { findVault, type Vault, type Writer } from "../vaults/vaults.ts";
import { pagePointStates } from "./point-states.ts";
import { scrubVault, verifyPoints } from "./verify-vault.ts";

/** Scrub compares objects with their names; deep opens every byte that the points need. */
export type VerifyMode = "scrub" | "deep";

interface VerifyInput {
  readonly mode: VerifyMode;
  /** Only its points. A scrub reads all objects all the same. */
  readonly itemKey?: string;
}

export interface VerifyDraft {
  readonly vault: Vault;
  readonly mode: VerifyMode;
  readonly item: ProtectedItem | undefined;
  readonly by: Doer;
}

const tasks = { scrub: "Compare objects with their names", deep: "Open what the points need" } as const;
const mostWarnings = 20;

export function startVerification(trx: Writer, { vault, mode, item, by }: VerifyDraft): Promise<Job> {
  const input: VerifyInput = { mode, ...(item === undefined ? {} : { itemKey: item.key }) };
  return createJob(trx, {
    vault,
    operation: "Verify",
    ...(item === undefined ? {} : { item: { key: item.key, name: item.friendlyName, container: item.containerName } }),
    exclusiveKey: vault.key,
    tasks: [tasks[mode]],
    input,
    isUserTriggered: true,
    isCancellable: true,
    by,
  });
}

export function verifyHandler(parts: { readonly database: Database; readonly stores: Stores }): JobHandler {
  return {
    run: async (context) => {
      const { job, signal } = context;
      const { mode, itemKey } = job.input as VerifyInput;
      const vault = await findVault(parts.database.kysely, job.vaultKey);
      if (vault === undefined)
        throw new JobFailure("UserErrorBcmDatasourceNotPresent", "The vault does not exist any more.");
      await context.startTask(tasks[mode]);
      // Before the first backup there is no store.
      if ((await parts.stores.find(vaultStore(vault.guid))) !== undefined) {
        try {
          await using opened = await openVaultStore(parts.stores, vault);
          await look(parts.database, opened, vault, context);
        } catch (error) {
          signal.throwIfAborted();
          throw backupFailure(error);
        }
      }
      await warnOfBroken(parts.database, vault, itemKey, context);
      await context.finishTask(tasks[mode]);
    },
  };
}

async function look(database: Database, opened: OpenVaults, vault: Vault, context: JobContext): Promise<void> {
  const { job, signal, progress: onPercent, setProperty } = context;
  const { mode, itemKey } = job.input as VerifyInput;
  const points = itemKey === undefined ? undefined : await listPointsOf(database.kysely, itemKey);
  const terms = { points, onPercent, signal };
  if (mode === "deep") {
    const { checked, healed, waiting } = await verifyPoints(database, opened, vault, terms);
    setProperty("Points opened", String(checked));
    setProperty("Points healed", String(healed.length));
    setProperty("Points damaged in the vault tier only", String(waiting.length));
    return;
  }
  const { damaged, checked } = await scrubVault(database, opened, vault, terms);
  setProperty("Points opened", String(checked));
  setProperty("Damaged objects", String(damaged.length));
  for (const message of damaged.slice(0, mostWarnings)) context.warn(jobError("VaultObjectDamaged", message));
}

/** Those of earlier looks too: a scrub that finds nothing makes no point whole. */
async function warnOfBroken(
  database: Database,
  vault: Vault,
  itemKey: string | undefined,
  { warn }: JobContext,
): Promise<void> {
  const broken = await pagePointStates(database.kysely, vault, { itemKey, isBroken: true }, { limit: mostWarnings });
  for (const { item, point } of broken)
    warn(jobError("UserErrorRecoveryPointBroken", `${item}, recovery point ${point.id}: ${point.problems?.[0] ?? ""}`));
}
