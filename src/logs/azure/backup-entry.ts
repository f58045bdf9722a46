// One record of Azure Backup, before it takes one of its two forms: a row of a table of its own with
// typed columns, or a row of AzureDiagnostics where nearly every value is a text.

import type { LogRecord } from "../rows/type-records.ts";
import type { Management, VaultFacts } from "./backup-facts.ts";

export interface BackupEntry {
  /** The category and table of the newer form. */
  readonly category: string;
  /** `Job`, `BackupItem`, … */
  readonly operation: string;
  readonly state: "Active" | "Deleted";
  readonly management: string | undefined;
  /** In both forms. */
  readonly fields: Fields;
  /** Only in tables of their own. */
  readonly more?: Fields;
  /** Only in AzureDiagnostics. */
  readonly legacy?: Fields;
}

export type Fields = Readonly<Record<string, string | number | boolean | object | undefined>>;

export const legacyCategory = "AzureBackupReport";
export const legacyTable = "AzureDiagnostics";

/** Audit of operations has no place in AzureDiagnostics. */
export function hasLegacyForm({ category }: BackupEntry): boolean {
  return category !== "AzureBackupOperations";
}

/** The records have a spelling of their own for machines. */
export function managementName(management: Management): string {
  return management === "AzureIaasVM" ? "IaaSVM" : management;
}

/** `region;guid`: reports take the region from it. */
export function vaultUniqueId({ location, guid }: VaultFacts): string {
  return `${location};${guid}`;
}

/** The row of the table that is named like the category. */
export function dedicatedRecord(entry: BackupEntry, vault: VaultFacts, tenantId: string, at: number): LogRecord {
  const common = {
    TenantId: tenantId,
    TimeGenerated: at,
    Category: entry.category,
    OperationName: entry.operation,
    ResourceId: vault.id.toUpperCase(),
    _ResourceId: vault.id.toLowerCase(),
    _SubscriptionId: vault.subscriptionId,
    SchemaVersion: "V2",
    SourceSystem: "Azure",
    _IsBillable: "False",
    BackupManagementType: entry.management,
  };
  if (entry.category === "AzureBackupOperations") return { ...common, ...entry.fields };
  return {
    ...common,
    State: entry.state,
    VaultUniqueId: vaultUniqueId(vault),
    ...columnsOfVault(entry.category, vault),
    ...entry.fields,
    ...entry.more,
  };
}

/** The row of AzureDiagnostics. */
export function diagnosticsRecord(entry: BackupEntry, vault: VaultFacts, tenantId: string, at: number): LogRecord {
  const fields: Fields = {
    EventName: "AzureBackupCentralReport",
    SchemaVersion: "V2",
    State: entry.state,
    BackupManagementType: entry.management,
    VaultUniqueId: vaultUniqueId(vault),
    ...entry.fields,
    ...entry.legacy,
  };
  const columns = Object.entries(fields).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [suffixed(name, value)],
  );
  return {
    TenantId: tenantId,
    TimeGenerated: at,
    ResourceId: vault.id.toUpperCase(),
    _ResourceId: vault.id.toLowerCase(),
    Category: legacyCategory,
    ResourceGroup: vault.resourceGroup.toUpperCase(),
    SubscriptionId: vault.subscriptionId,
    ResourceProvider: "MICROSOFT.RECOVERYSERVICES",
    Resource: vault.name.toUpperCase(),
    ResourceType: "VAULTS",
    OperationName: entry.operation,
    SourceSystem: "Azure",
    ...Object.fromEntries(columns),
  };
}

/** What looks like a GUID goes to the `_g` column; everything else is text, numbers too. */
function suffixed(name: string, value: string | number | boolean | object): [string, string] {
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  const isGuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
  return [`${name}${isGuid ? "_g" : "_s"}`, text];
}

const tablesWithVault = new Set([
  "CoreAzureBackup",
  "AddonAzureBackupJobs",
  "AddonAzureBackupPolicy",
  "AddonAzureBackupProtectedInstance",
]);

function columnsOfVault(category: string, vault: VaultFacts): Fields {
  if (!tablesWithVault.has(category)) return {};
  return {
    AzureDataCenter: vault.location,
    StorageReplicationType: vault.redundancy,
    ResourceGroupName: vault.resourceGroup,
    SubscriptionId: vault.subscriptionId,
    VaultName: vault.name,
    VaultTags: JSON.stringify(vault.tags),
    VaultType: "Microsoft.RecoveryServices/vaults",
  };
}
