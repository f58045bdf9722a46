// From facts to records: which records Azure Backup writes of a vault, an item, a job, an alert, and
// what stands in them.

import { isoTime } from "../../lib/clock.ts";
import { managementName, vaultUniqueId, type BackupEntry, type Fields } from "./backup-entry.ts";
import type { AlertFacts, ItemFacts, JobFacts, OperationFacts, VaultFacts, VaultInventory } from "./backup-facts.ts";
import { policyEntries, policyUniqueId } from "./policy-entries.ts";

const mebibyte = 1024 * 1024;
const megabytes = (bytes: number | undefined): number | undefined =>
  bytes === undefined ? undefined : Math.round((bytes / mebibyte) * 1000) / 1000;
const time = (at: number | undefined): string | undefined => (at === undefined ? undefined : isoTime(at));

type ItemName = Pick<ItemFacts, "name" | "containerName" | "management">;

const withoutKind = (name: string): string => name.slice(name.indexOf(";") + 1).toLowerCase();

/**
 * `region;vault;iaasvmcontainerv2;group;machine`, `region;vault;storage;group;account;share`: people's
 * queries take group and machine by their places. What is in a container has its name behind that one's.
 */
function itemUniqueId(vault: VaultFacts, { name, containerName, management }: ItemName): string {
  const parts = management === "AzureIaasVM" ? [name] : [containerName, name];
  return [vaultUniqueId(vault), ...parts.map(withoutKind)].join(";");
}

function containerUniqueId(vault: VaultFacts, { containerName }: Pick<ItemFacts, "containerName">): string {
  return `${vaultUniqueId(vault)};${containerName.toLowerCase()}`;
}

function storageUniqueId(vault: VaultFacts): string {
  return `${vaultUniqueId(vault)};storage`;
}

export function inventoryEntries({ vault, policies, items }: VaultInventory): BackupEntry[] {
  return [
    ...vaultEntries(vault, items),
    ...policies.flatMap((policy) => policyEntries(policy, vault)),
    ...items.flatMap((item) => itemEntries(item, vault)),
  ];
}

function vaultEntries(vault: VaultFacts, items: readonly ItemFacts[]): BackupEntry[] {
  const state = vault.isDeleted ? "Deleted" : "Active";
  const stored = items.reduce((sum, { storedBytes }) => sum + (storedBytes ?? 0), 0);
  const base = { state, management: undefined } as const;
  return [
    {
      ...base,
      category: "CoreAzureBackup",
      operation: "Vault",
      fields: {
        VaultName: vault.name,
        AzureDataCenter: vault.location,
        StorageReplicationType: vault.redundancy,
      },
    },
    {
      ...base,
      category: "AddonAzureBackupStorage",
      operation: "Storage",
      fields: {
        StorageUniqueId: storageUniqueId(vault),
        StorageType: "Cloud",
        StorageName: vault.name,
        StorageTotalSizeInGBs: Math.round((stored / mebibyte / 1024) * 1000) / 1000,
      },
      legacy: { ProtectedInstances: items.reduce((sum, { sourceBytes }) => sum + protectedInstances(sourceBytes), 0) },
    },
  ];
}

export function itemEntries(item: ItemFacts, vault: VaultFacts): BackupEntry[] {
  const base = {
    state: item.isDeleted ? "Deleted" : "Active",
    management: managementName(item.management),
  } as const;
  const core = { ...base, category: "CoreAzureBackup" };
  const storage = { ...base, category: "AddonAzureBackupStorage" };
  const BackupItemUniqueId = itemUniqueId(vault, item);
  const ProtectedContainerUniqueId = containerUniqueId(vault, item);
  const StorageUniqueId = storageUniqueId(vault);
  const source: Fields = {
    BackupItemId: item.id,
    DatasourceFriendlyName: item.friendlyName,
    DatasourceResourceId: item.sourceResourceId,
    DatasourceResourceGroupName: item.sourceResourceId.split("/")[4],
    DatasourceSubscriptionId: item.sourceResourceId.split("/")[2],
    DatasourceType: item.sourceType,
    PolicyId: item.policy?.id,
    PolicyName: item.policy?.name,
    PolicyUniqueId: item.policy === undefined ? undefined : policyUniqueId(vault, item.policy.name),
  };
  const entries: BackupEntry[] = [
    {
      ...core,
      operation: "BackupItem",
      fields: {
        BackupItemUniqueId,
        BackupItemName: item.name,
        BackupItemFriendlyName: item.friendlyName,
        BackupItemType: item.itemType,
        BackupItemProtectionState: item.protectionState,
      },
      more: source,
      legacy: { ProtectionState: item.protectionState === "ProtectionStopped" ? "ProtectionStopped" : "Protected" },
    },
    {
      ...core,
      operation: "BackupItemAssociation",
      fields: { BackupItemUniqueId, ProtectedContainerUniqueId },
      legacy: { BackupItemSourceSize: megabytes(item.sourceBytes) },
    },
    {
      ...core,
      operation: "ProtectedContainer",
      fields: {
        ProtectedContainerUniqueId,
        ProtectedContainerName: item.containerName,
        ProtectedContainerFriendlyName: item.containerFriendlyName,
        ProtectedContainerOSType: item.osType,
        ProtectedContainerWorkloadType: item.containerName.split(";")[0],
        ProtectedContainerLocation: "Azure",
        ProtectedContainerType: "Container",
        ProtectedContainerProtectionState: item.protectionState === "Protected" ? "Protected" : "NotProtected",
      },
      legacy: { EntityState: base.state },
    },
    { ...core, operation: "ProtectedContainerAssociation", fields: { ProtectedContainerUniqueId } },
    {
      ...storage,
      operation: "StorageAssociation",
      fields: { StorageUniqueId, BackupItemUniqueId, StorageConsumedInMBs: megabytes(item.storedBytes) ?? 0 },
    },
    {
      ...base,
      category: "AddonAzureBackupProtectedInstance",
      operation: "ProtectedInstance",
      fields: {
        ...(item.management === "AzureIaasVM" ? { BackupItemUniqueId } : { ProtectedContainerUniqueId }),
        ProtectedInstanceCount: protectedInstances(item.sourceBytes),
      },
      more: {
        SourceSizeInMBs: megabytes(item.sourceBytes),
        StorageConsumedInMBs: megabytes(item.storedBytes),
        DatasourceType: item.sourceType,
      },
    },
  ];
  if (item.sourceBytes !== undefined) {
    const fields = { BackupItemUniqueId, BackupItemFrontEndSize: megabytes(item.sourceBytes) };
    entries.push({ ...core, operation: "BackupItemFrontEndSizeConsumption", fields });
  }
  if (item.policy !== undefined) {
    entries.push({
      ...base,
      category: "AddonAzureBackupPolicy",
      operation: "PolicyAssociation",
      fields: { PolicyUniqueId: policyUniqueId(vault, item.policy.name) },
      legacy: { BackupItemUniqueId },
    });
  }
  if (item.latestPoint !== undefined) {
    entries.push({
      ...core,
      operation: "RecoveryPoint",
      fields: {
        BackupItemUniqueId,
        OldestRecoveryPointTime: time(item.oldestPoint?.at),
        OldestRecoveryPointLocation: item.oldestPoint?.location,
        LatestRecoveryPointTime: time(item.latestPoint.at),
        LatestRecoveryPointLocation: item.latestPoint.location,
      },
    });
  }
  return entries;
}

/** How Azure counts what it bills: up to 50 GiB and up to 500 GiB are one, then one for each 500 GiB. */
function protectedInstances(sourceBytes: number | undefined): number {
  return Math.max(1, Math.ceil((sourceBytes ?? 0) / (500 * 1024 * mebibyte)));
}

const operationNames: Readonly<Record<string, string>> = {
  ConfigureBackup: "Configure Backup",
  DisableBackup: "Disable Backup",
  DeleteBackupData: "Delete Backup Data",
};

export function jobEntries(job: JobFacts, vault: VaultFacts): BackupEntry[] {
  return [
    {
      category: "AddonAzureBackupJobs",
      operation: "Job",
      state: "Active",
      management: managementName(job.item.management),
      fields: {
        JobUniqueId: job.id,
        BackupItemUniqueId: itemUniqueId(vault, job.item),
        ProtectedContainerUniqueId: containerUniqueId(vault, job.item),
        JobOperation: operationNames[job.operation] ?? job.operation,
        JobOperationSubType: job.subType,
        JobStatus: job.status,
        JobFailureCode: job.errorCode ?? "Success",
        JobStartDateTime: time(job.startedAt),
        JobDurationInSecs: Math.max(0, Math.round((job.endedAt - job.startedAt) / 1000)),
        AdHocOrScheduledJob: job.isScheduled ? "Scheduled" : "Adhoc",
        DataTransferredInMB: megabytes(job.transferredBytes),
        RecoveryJobDestination: job.recovery?.destination,
        RecoveryJobRPDateTime: time(job.recovery?.pointAt),
        RecoveryJobRPLocation: job.recovery?.pointLocation,
      },
      more: {
        BackupItemId: job.item.id,
        BackupItemFriendlyName: job.item.friendlyName,
        DatasourceFriendlyName: job.item.friendlyName,
        DatasourceResourceId: job.item.sourceResourceId,
        DatasourceType: job.item.sourceType,
      },
      legacy: { BackupStorageDestination: job.operation === "Backup" ? "Cloud" : undefined },
    },
  ];
}

export function alertEntries(alert: AlertFacts, vault: VaultFacts): BackupEntry[] {
  const { item } = alert;
  return [
    {
      category: "AddonAzureBackupAlerts",
      operation: "Alert",
      state: "Active",
      management: item === undefined ? undefined : managementName(item.management),
      fields: {
        // Only alerts of machines with an agent of their own have ids that are GUIDs: reports tell them apart so.
        AlertUniqueId: item?.management === "MAB" ? alert.id : `${vaultUniqueId(vault)};${alert.id}`,
        AlertType: alert.type,
        AlertStatus: alert.status,
        AlertOccurrenceDateTime: time(alert.occurredAt),
        AlertSeverity: alert.severity,
        AlertTimeToResolveInMinutes:
          alert.resolvedAt === undefined ? undefined : Math.round((alert.resolvedAt - alert.occurredAt) / 60_000),
        AlertConsolidationStatus: alert.occurrences > 1 ? "Consolidated" : "NotConsolidated",
        CountOfAlertsConsolidated: alert.occurrences,
        AlertRaisedOn: item === undefined ? "Vault" : "BackupItem",
        AlertCode: alert.code,
        RecommendedAction: alert.recommendedAction,
        BackupItemUniqueId: item === undefined ? undefined : itemUniqueId(vault, item),
        ProtectedContainerUniqueId: item === undefined ? undefined : containerUniqueId(vault, item),
      },
    },
  ];
}

export function operationEntries(operation: OperationFacts): BackupEntry[] {
  return [
    {
      category: "AzureBackupOperations",
      operation: "DataOperations",
      state: "Active",
      management: managementName(operation.management),
      fields: {
        OperationType: operation.operation,
        OperationStartTime: time(operation.at),
        ExtendedProperties: operation.about,
      },
    },
  ];
}
