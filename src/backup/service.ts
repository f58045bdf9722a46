// The backup service put together: the job engine with its handlers, the scheduler, the caretaker. What
// the wire does it does through the functions of the folders here; restores register their handlers with
// `jobs` before `start`.

import type { Database } from "../db/database.ts";
import { registerSubscriber, runSubscriber } from "../events/subscribe.ts";
import type { Inventory, InventoryMachine } from "../inventory/inventory.ts";
import type { ConsistencyAgent } from "./capture/index.ts";
import type { JobLimits } from "./jobs/choose-jobs.ts";
import { createJobEngine, type JobEngine, type RetryTerms } from "./jobs/job-engine.ts";
import type { JobHandler } from "./jobs/handler.ts";
import type { JobOperation } from "./jobs/job.ts";
import { itemJobHandlers } from "./protection/item-jobs.ts";
import { itemsInVault } from "./protection/vault-use.ts";
import { backupHandler } from "./run/backup-job.ts";
import { runCaretaker } from "./scheduler/caretaker.ts";
import { runScheduler } from "./scheduler/scheduler.ts";
import type { CaptureDiskKeys } from "./keys/disk-keys.ts";
import { dropDeleted, postDrops } from "./stores/drop-deleted.ts";
import type { Stores } from "./stores/stores.ts";
import { keepChangedVaults, type DescribeVault } from "./vaults/vault-document.ts";
import type { VaultUse } from "./vaults/vaults.ts";
import { keyUpdateHandler } from "./keys/key-update-job.ts";
import { verifyHandler } from "./verification/verify-job.ts";

export interface BackupServiceOptions {
  readonly database: Database;
  readonly inventory: Pick<Inventory, "open">;
  readonly stores: Stores;
  /** The node's name in leases. */
  readonly holder: string;
  readonly limits: JobLimits;
  /** A machine as the wire shows it: kept in each point for restores. */
  readonly describeMachine: (machine: InventoryMachine) => Promise<Readonly<Record<string, unknown>>>;
  readonly captureDiskKeys: CaptureDiskKeys;
  /** A vault as the wire shows it: kept in its store for a server that takes that over. */
  readonly describeVault: DescribeVault;
  /** What brings guests' applications to rest; file systems are frozen without it too. */
  readonly consistencyAgent?: ConsistencyAgent;
  readonly retry?: RetryTerms;
  /** Absent where a test moves the clock: that one is believed. */
  readonly watchesClock?: boolean;
  readonly report: (error: unknown) => void;
}

export interface BackupService extends AsyncDisposable {
  readonly jobs: Pick<JobEngine, "register">;
  readonly vaultUse: VaultUse;
  /** Begins to work. */
  start(): Promise<void>;
}

export function openBackupService(options: BackupServiceOptions): BackupService {
  const { database, stores, holder, report } = options;
  const engine = createJobEngine({ ...options, report: (error) => report(error) });
  const handlers: Readonly<Partial<Record<JobOperation, JobHandler>>> = {
    Backup: backupHandler(options),
    ...itemJobHandlers(options),
    Verify: verifyHandler(options),
    UpdateCustomerManagedKey: keyUpdateHandler(options),
  };
  for (const [operation, handler] of Object.entries(handlers)) engine.register(operation as JobOperation, handler);
  const ending = new AbortController();
  const loops: Promise<void>[] = [];
  return {
    jobs: engine,
    vaultUse: itemsInVault,
    start: async () => {
      const dropping = { name: "backup-vault-stores", from: "beginning" } as const;
      const keeping = { name: "backup-vault-documents", from: "now" } as const;
      for (const subscriber of [dropping, keeping]) await registerSubscriber(database, subscriber);
      engine.start();
      loops.push(
        runScheduler(options, ending.signal),
        runCaretaker(options, ending.signal),
        runSubscriber(
          database,
          {
            ...dropping,
            holder,
            types: ["vault.deleted"],
            handle: { apply: postDrops },
            report,
          },
          ending.signal,
        ),
        dropDeleted(database, stores, report, ending.signal),
        runSubscriber(
          database,
          {
            ...keeping,
            holder,
            types: ["vault.changed", "vault.described"],
            handle: { deliver: (events, signal) => keepChangedVaults(options, events, signal) },
            report,
          },
          ending.signal,
        ),
      );
    },
    [Symbol.asyncDispose]: async () => {
      ending.abort(new Error("the service is ending"));
      await engine[Symbol.asyncDispose]();
      await Promise.allSettled(loops);
    },
  };
}
