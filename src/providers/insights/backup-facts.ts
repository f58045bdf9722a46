// Reads what the records of backups tell from the control data.

import { z } from "zod";
import { findResource, type Reader } from "../../arm/resources/resource-store.ts";
import { renderPolicy } from "../../backup/policy/render-policy.ts";
import { listPolicies } from "../../backup/vaults/policies.ts";
import { pointFromRow, type RecoveryPoint } from "../../backup/points/point.ts";
import { findItem, itemFromRow, type ProtectedItem } from "../../backup/protection/item.ts";
import { findVault, type Vault } from "../../backup/vaults/vaults.ts";
import type {
  AlertFacts,
  ItemFacts,
  JobFacts,
  PointFacts,
  PolicyFacts,
  VaultFacts,
  VaultInventory,
} from "../../logs/azure/backup-facts.ts";
import type { Alert } from "../../monitor/alert.ts";
import { backupService } from "../../monitor/built-in.ts";

export async function vaultFacts(
  reader: Reader,
  key: string,
): Promise<{ vault: Vault; facts: VaultFacts } | undefined> {
  const vault = await findVault(reader, key);
  if (vault === undefined) return undefined;
  const resource = await findResource(reader, vault.id);
  const [, , subscriptionId = "", , resourceGroup = ""] = vault.id.split("/");
  const { id, guid, name, location, settings } = vault;
  return {
    vault,
    facts: {
      id,
      guid,
      name,
      location,
      subscriptionId,
      resourceGroup,
      redundancy: settings.redundancy.type,
      tags: resource?.envelope.tags ?? {},
      isDeleted: false,
    },
  };
}

export async function inventoryOf(reader: Reader, vault: Vault, facts: VaultFacts): Promise<VaultInventory> {
  const rows = await reader.selectFrom("protected_items").selectAll().where("vault_key", "=", vault.key).execute();
  const policies = await policyFacts(reader, vault);
  const items: ItemFacts[] = [];
  for (const row of rows) items.push(await itemFacts(reader, itemFromRow(row), policies));
  return { vault: facts, policies, items };
}

export async function policyFacts(reader: Reader, vault: Vault): Promise<PolicyFacts[]> {
  const policies = await listPolicies(reader, vault);
  return policies.map(({ name, policy }) => ({
    id: `${vault.id}/backupPolicies/${name}`,
    name,
    management: policy.management,
    properties: renderPolicy(policy),
    isDeleted: false,
  }));
}

export async function findItemFacts(reader: Reader, vault: Vault, key: string): Promise<ItemFacts | undefined> {
  const item = await findItem(reader, key);
  return item === undefined ? undefined : itemFacts(reader, item, await policyFacts(reader, vault));
}

/** Of an item that is gone: what its last event said of it. */
export async function itemFacts(
  reader: Reader,
  item: ProtectedItem,
  policies: readonly PolicyFacts[],
): Promise<ItemFacts> {
  const policy = policies.find(({ name }) => name.toLowerCase() === item.policyKey);
  const { oldest, newest, storedBytes } = await pointsOf(reader, item.key);
  const [name = "", , containerName = ""] = item.id.split("/").toReversed();
  return {
    id: item.id,
    name,
    friendlyName: item.friendlyName,
    containerName,
    containerFriendlyName: item.friendlyName,
    management: "AzureIaasVM",
    itemType: "VM",
    sourceResourceId: item.machineId,
    sourceType: "Microsoft.Compute/virtualMachines",
    osType: newest?.facts.osType,
    protectionState: item.deletion === undefined ? protectionStates[item.state] : "ProtectionStopped",
    policy: policy === undefined ? undefined : { id: policy.id, name: policy.name },
    sourceBytes: newest?.facts.disks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    storedBytes,
    oldestPoint: pointIn(oldest),
    latestPoint: pointIn(newest),
    isDeleted: false,
  };
}

const protectionStates: Readonly<Record<ProtectedItem["state"], ItemFacts["protectionState"]>> = {
  IRPending: "InitialBackupPending",
  Protected: "Protected",
  ProtectionStopped: "ProtectionStopped",
  BackupsSuspended: "ProtectionStopped",
};

function pointIn(point: RecoveryPoint | undefined): PointFacts | undefined {
  return point === undefined ? undefined : { at: point.takenAt, location: point.isInVaultTier ? "Cloud" : "Disk" };
}

async function pointsOf(
  reader: Reader,
  itemKey: string,
): Promise<{ oldest: RecoveryPoint | undefined; newest: RecoveryPoint | undefined; storedBytes: number | undefined }> {
  const points = reader.selectFrom("recovery_points").selectAll().where("item_key", "=", itemKey).limit(1);
  const oldest = await points.orderBy("taken_at").orderBy("id").executeTakeFirst();
  if (oldest === undefined) return { oldest: undefined, newest: undefined, storedBytes: undefined };
  const newest = await points.orderBy("taken_at", "desc").orderBy("id", "desc").executeTakeFirst();
  // What each backup added to the store, as its job said.
  const jobs = await reader
    .selectFrom("recovery_points")
    .innerJoin("jobs", "jobs.id", "recovery_points.job_id")
    .select("jobs.properties")
    .where("recovery_points.item_key", "=", itemKey)
    .execute();
  const sizes = jobs.map(({ properties }) => backupSize(JSON.parse(properties) as Record<string, string>) ?? 0);
  return {
    oldest: pointFromRow(oldest),
    newest: newest === undefined ? undefined : pointFromRow(newest),
    storedBytes: sizes.reduce((sum, size) => sum + size, 0),
  };
}

/** Jobs show it as people read it: `12 MB`. */
function backupSize(properties: Readonly<Record<string, string>>): number | undefined {
  const megabytes = Number.parseFloat(properties["Backup Size"] ?? "");
  return Number.isFinite(megabytes) ? megabytes * 1024 ** 2 : undefined;
}

const jobSchema = z.object({
  id: z.string(),
  itemKey: z.string().optional(),
  itemName: z.string(),
  containerName: z.string(),
  operation: z.string(),
  status: z.enum(["Completed", "CompletedWithWarnings", "Failed", "Cancelled"]),
  startedAt: z.number(),
  endedAt: z.number(),
  isUserTriggered: z.boolean(),
  properties: z.record(z.string(), z.string()),
  errors: z.array(z.object({ code: z.string() })),
});

/** Of the data of `job.ended`; undefined for jobs of the vault itself. */
export async function jobFacts(reader: Reader, vault: Vault, data: unknown): Promise<JobFacts | undefined> {
  const job = jobSchema.parse(data);
  if (job.itemKey === undefined) return undefined;
  const item = await findItemFacts(reader, vault, job.itemKey);
  const friendlyName = job.itemName.split(";").at(-1) ?? job.itemName;
  return {
    id: job.id,
    item: item ?? {
      id: job.itemKey,
      name: job.itemName,
      friendlyName,
      containerName: job.containerName,
      management: "AzureIaasVM",
      sourceResourceId: "",
      sourceType: "Microsoft.Compute/virtualMachines",
    },
    operation: job.operation,
    subType: undefined,
    status: job.status,
    errorCode: job.errors[0]?.code,
    startedAt: job.startedAt,
    endedAt: job.endedAt,
    isScheduled: !job.isUserTriggered,
    transferredBytes: backupSize(job.properties),
    recovery: undefined,
  };
}

const contextSchema = z.object({
  extendedInfo: z.object({ recommendedActions: z.string().nullable() }),
  protectedItemId: z.string().nullable(),
});

/** Of a built-in alert; undefined for alerts of rules. */
export function alertFacts(alert: Alert): AlertFacts | undefined {
  const context = contextSchema.safeParse(alert.context).data;
  if (alert.service !== backupService || context === undefined) return undefined;
  const [name = "", , containerName = ""] = (context.protectedItemId ?? "").split("/").toReversed();
  const isOver = alert.condition === "Resolved" || alert.state === "Closed";
  return {
    id: alert.id,
    code: alert.rule.replaceAll(" ", ""),
    severity: "Critical",
    status: isOver ? "Resolved" : "Active",
    type: alert.rule,
    occurredAt: alert.firedAt,
    resolvedAt: isOver ? alert.changedAt : undefined,
    recommendedAction: context.extendedInfo.recommendedActions ?? "",
    occurrences: 1,
    item: context.protectedItemId === null ? undefined : { name, containerName, management: "AzureIaasVM" },
  };
}
