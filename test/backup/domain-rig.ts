// The backup service without the wire, on a clock that stands still until the test moves it: machines of
// a folder of images, a real store, a real database.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createJobEngine, type JobEngine } from "../../src/backup/jobs/job-engine.ts";
import { openStatuses } from "../../src/backup/jobs/job.ts";
import type { MachinePolicy } from "../../src/backup/policy/policy.ts";
import { itemJobHandlers } from "../../src/backup/protection/item-jobs.ts";
import type { ProtectedItem } from "../../src/backup/protection/item.ts";
import { protect } from "../../src/backup/protection/protect.ts";
import { backupHandler } from "../../src/backup/run/backup-job.ts";
import { careRound } from "../../src/backup/scheduler/caretaker.ts";
import { policyMemory, tick } from "../../src/backup/scheduler/scheduler.ts";
import { platformKeyOf } from "../../src/backup/stores/store-key.ts";
import { openStores, type Stores } from "../../src/backup/stores/stores.ts";
import { savePolicy } from "../../src/backup/vaults/policies.ts";
import { createVault, findVault, saveSettings, type Vault } from "../../src/backup/vaults/vaults.ts";
import { openDatabase, type Database } from "../../src/db/database.ts";
import { openImagesHost } from "../../src/hosts/images/host.ts";
import type { InventoryMachine } from "../../src/inventory/inventory.ts";
import { manualClock, type ManualClock } from "../../src/lib/clock.ts";
import { secretBox } from "../../src/lib/secret-box.ts";
import { makeMachine } from "./rig.ts";

export const by = { actor: "test", correlationId: "test" };
const group = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/lab";

export interface DomainRig extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly database: Database;
  readonly stores: Stores;
  /** The data folder. */
  readonly folder: string;
  readonly images: string;
  readonly problems: unknown[];
  vault(): Promise<Vault>;
  policy(name: string, policy: MachinePolicy): Promise<void>;
  protect(machine: string, policy: { name: string; policy: MachinePolicy }): Promise<ProtectedItem>;
  /** What is due begins; answers how many did. */
  tick(): Promise<number>;
  /** Every job has ended. */
  settled(): Promise<void>;
  care(): Promise<void>;
}

export interface DomainRigOptions {
  /** With a snapshot tier. */
  readonly hot?: boolean;
  readonly retry?: { readonly attempts: number };
}

export async function startDomainRig(
  start: number,
  machines: readonly string[],
  { hot = false, retry }: DomainRigOptions = {},
): Promise<DomainRig> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-year-"));
  const images = join(folder, "images");
  for (const name of machines) makeMachine(images, name);
  const clock = manualClock(start);
  const database = await openDatabase({ file: join(folder, "control.sqlite"), clock });
  const key = Buffer.alloc(32, 7);
  const stores = openStores({
    folder,
    database,
    secretBox: secretBox(key),
    keyOf: platformKeyOf(key),
    workers: 1,
    trustFileSystem: true,
  });
  const host = openImagesHost({ folder: images });
  const found = await host.listMachines();
  const machineOf = (id: string): InventoryMachine => {
    const name = id.split("/").at(-1) ?? "";
    const machine = found.find((one) => one.name === name);
    if (machine === undefined) throw new Error(`no machine ${name}`);
    return {
      resourceId: `${group}/providers/Microsoft.Compute/virtualMachines/${name}`,
      vmId: name,
      hostId: "shelf",
      machineId: machine.id,
      name,
      osType: "Linux",
      location: "eastus",
      tags: {},
      lastSeenAt: clock.now(),
      present: true,
      machine,
      diskResourceIds: {},
      guest: undefined,
    };
  };
  const problems: unknown[] = [];
  const report = (error: unknown): void => void problems.push(error);
  const engine: JobEngine = createJobEngine({
    database,
    holder: "node",
    limits: { server: 2, vault: 2, host: 2 },
    report,
    lookAgainMilliseconds: 20,
    leaseMilliseconds: 60_000,
    ...(retry === undefined ? {} : { retry: { interruptions: 10, firstDelayMilliseconds: 1, ...retry } }),
  });
  const parts = {
    database,
    stores,
    report,
    inventory: {
      open: async (id: string) => {
        const machine = machineOf(id);
        return { host, machineId: machine.machineId, machine };
      },
    },
    captureDiskKeys: async () => undefined,
    describeMachine: async ({ name }: InventoryMachine) => ({ name }),
    describeVault: async () => ({ name: "v1" }),
  };
  engine.register("Backup", backupHandler(parts));
  for (const [operation, handler] of Object.entries(itemJobHandlers(parts)))
    engine.register(operation as Parameters<JobEngine["register"]>[0], handler);
  engine.start();

  const id = `${group}/providers/Microsoft.RecoveryServices/vaults/v1`;
  await database.transaction(async (trx) => {
    const made = await createVault(trx, { id, location: "eastus" }, by);
    const folder = { kind: "folder" } as const;
    const place = { location: folder, ...(hot ? { hot: folder } : {}) };
    await saveSettings(trx, made, { ...made.settings, place }, by);
  });
  const vault = async (): Promise<Vault> => {
    const found = await findVault(database.kysely, id);
    if (found === undefined) throw new Error("no vault");
    return found;
  };
  const memory = policyMemory();
  const settled = async (): Promise<void> => {
    for (;;) {
      const open = await database.kysely.selectFrom("jobs").select("id").where("status", "in", openStatuses).execute();
      if (open.length === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return {
    clock,
    database,
    stores,
    folder,
    images,
    problems,
    vault,
    policy: async (name, policy) => {
      const owner = await vault();
      await database.transaction((trx) => savePolicy(trx, owner, name, policy, by));
    },
    protect: async (machine, policy) => {
      const owner = await vault();
      const { item } = await database.transaction((trx) =>
        protect(trx, { vault: owner, machine: machineOf(machine), policy, disks: "keep", isEncrypted: false, by }),
      );
      await settled();
      return item;
    },
    tick: () => tick(database, memory),
    settled,
    care: () => careRound({ database, stores, holder: "node", report }),
    [Symbol.asyncDispose]: async () => {
      await engine[Symbol.asyncDispose]();
      await stores[Symbol.asyncDispose]();
      await host.close();
      await database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
