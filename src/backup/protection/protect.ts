// Protecting a machine, changing how it is protected, and taking protection up again. The state changes
// in the transaction of the request; its ConfigureBackup job follows and prepares the vault's store.

import { scopeOf } from "../../db/transaction.ts";
import type { ProtectedItemRow } from "../../db/schema/backup.ts";
import type { InventoryMachine } from "../../inventory/inventory.ts";
import { newGuid } from "../../lib/random.ts";
import type { DiskChoice } from "../capture/index.ts";
import { createJob } from "../jobs/create-job.ts";
import type { Job } from "../jobs/job.ts";
import { needsEnhancedPolicy } from "../keys/selective-disks.ts";
import type { Policy } from "../policy/policy.ts";
import type { Doer } from "../vaults/policies.ts";
import type { Vault, Writer } from "../vaults/vaults.ts";
import { changeItem } from "./change-item.ts";
import { protectionErrors } from "./errors.ts";
import { tellOfItem } from "./item-events.ts";
import { findItemOfMachine, itemFromRow, type ProtectedItem } from "./item.ts";
import { itemNames } from "./names.ts";
import { newItemRow } from "./new-item.ts";
import { refuseDeleted } from "./stop.ts";

/** Azure's bound of machines in a vault. */
const mostItems = 1000;

export interface ProtectionRequest {
  readonly vault: Vault;
  readonly machine: InventoryMachine;
  readonly policy: { readonly name: string; readonly policy: Policy };
  /** Which disks; `keep` leaves what there is. */
  readonly disks: DiskChoice | undefined | "keep";
  /** Whether the machine says that its disks are. */
  readonly isEncrypted: boolean;
  readonly by: Doer;
}

/** Protects the machine, or changes its policy and disks. */
export async function protect(
  trx: Writer,
  request: ProtectionRequest,
): Promise<{ readonly item: ProtectedItem; readonly job: Job }> {
  const { vault, machine, policy } = request;
  if (policy.policy.management !== "AzureIaasVM") {
    throw protectionErrors.BMSUserErrorPolicyTypeMismatch(
      `The policy '${policy.name}' is one of ${policy.policy.management}; '${machine.name}' is a virtual machine.`,
      { target: "properties.policyId" },
    );
  }
  if (request.disks !== undefined && request.disks !== "keep") checkDisks(machine, request.disks);
  const existing = await findItemOfMachine(trx, machine.resourceId);
  if (existing !== undefined) refuseElsewhere(existing, vault);
  const disks = request.disks === "keep" ? existing?.disks : request.disks;
  if (needsEnhancedPolicy(policy.policy, disks, request.isEncrypted)) {
    throw protectionErrors.UserErrorEncryptedVmNotSupportedWithDiskEx(
      `The disks of '${machine.name}' are encrypted; with the standard policy '${policy.name}' none of them can be left out.`,
      { target: "properties.extendedProperties.diskExclusionProperties" },
    );
  }
  const item = existing === undefined ? await insertItem(trx, request) : await changeProtection(trx, existing, request);
  const job = await createJob(trx, {
    vault,
    operation: "ConfigureBackup",
    item: { key: item.key, name: item.friendlyName, container: item.containerName },
    tasks: [],
    properties: { "VM Name": item.friendlyName, "Policy Name": policy.name },
    isUserTriggered: true,
    by: request.by,
  });
  return { item, job };
}

async function insertItem(
  trx: Writer,
  { vault, machine, policy, disks, by }: ProtectionRequest,
): Promise<ProtectedItem> {
  if (machine.location.toLowerCase() !== vault.location.toLowerCase()) {
    throw protectionErrors.BMSUserErrorVaultRegionMismatch(
      `The machine '${machine.name}' is in ${machine.location}, the vault '${vault.name}' in ${vault.location}.`,
      { target: "properties.sourceResourceId" },
    );
  }
  const { count } = await trx
    .selectFrom("protected_items")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("vault_key", "=", vault.key)
    .executeTakeFirstOrThrow();
  if (Number(count) >= mostItems) {
    throw protectionErrors.BMSUserErrorItemLimitReached(`The vault '${vault.name}' has ${mostItems} machines already.`);
  }
  const itemId = newGuid();
  const now = scopeOf(trx).clock.now();
  const row = newItemRow({
    vault,
    machineId: machine.resourceId,
    friendlyName: machine.name,
    itemId,
    storeItem: `${itemNames(machine.resourceId).machine.toLowerCase()};${itemId.slice(0, 8)}`,
    policyKey: policy.name.toLowerCase(),
    state: "IRPending",
    disks: choiceText(disks === "keep" ? undefined : disks),
    lastRunAt: now,
    lastBackupStatus: "",
    createdAt: now,
  });
  await trx.insertInto("protected_items").values(row).execute();
  const item = itemFromRow(row);
  tellOfItem(trx, "item.protected", item, by);
  return item;
}

/** A new policy, or other disks; a stopped item goes on from now. */
async function changeProtection(trx: Writer, item: ProtectedItem, request: ProtectionRequest): Promise<ProtectedItem> {
  const wasStopped = item.policyKey === undefined || item.state === "BackupsSuspended";
  const name = request.policy.name.toLowerCase();
  const isOther = wasStopped || item.policyKey !== name;
  const change: Partial<ProtectedItemRow> = {
    policy_key: name,
    state: item.points.count === 0 ? "IRPending" : "Protected",
    ...(isOther ? { last_run_at: scopeOf(trx).clock.now() } : {}),
    ...(request.disks === "keep" ? {} : { disks: choiceText(request.disks) }),
  };
  return changeItem(trx, item, change, wasStopped ? "item.resumed" : "item.changed", request.by);
}

function refuseElsewhere(item: ProtectedItem, vault: Vault): void {
  if (item.vaultKey !== vault.key) {
    throw protectionErrors.BMSUserErrorVMAlreadyProtected(
      `The machine '${item.friendlyName}' is protected by the vault ${item.id.split("/").slice(0, 9).join("/")}.`,
      { target: item.machineId },
    );
  }
  refuseDeleted(item);
}

/** Every LUN that is named must be there; the system disk is always in. */
function checkDisks({ name, machine }: InventoryMachine, choice: DiskChoice): void {
  if (choice.kind === "all") return;
  const missing = choice.luns.filter((lun) => !machine.disks.some((disk) => disk.lun === lun && lun >= 0));
  if (missing.length === 0) return;
  const luns = machine.disks.map(({ lun }) => lun).filter((lun) => lun >= 0);
  throw protectionErrors.UserErrorInvalidDiskLunList(
    `The machine '${name}' has no data disk at LUN ${missing.join(", ")}; it has ${luns.length === 0 ? "none" : `LUN ${luns.join(", ")}`}.`,
    { target: "properties.extendedProperties.diskExclusionProperties.diskLunList" },
  );
}

function choiceText(choice: DiskChoice | undefined): string | null {
  return choice === undefined || choice.kind === "all" ? null : JSON.stringify(choice);
}
