// Records of Azure Backup that lie in AzureDiagnostics, in the columns of the tables of their own: texts
// become numbers and times again. What they do not tell (ids of resources, tags) is empty.

const column = (name: string): string => `column_ifexists("${name}", "")`;
const friendlyName = `iff(${column("BackupItemFriendlyName_s")} == "", tostring(split(${column("BackupItemUniqueId_s")}, ";")[-1]), ${column("BackupItemFriendlyName_s")})`;
const text = (name: string): readonly [string, string] => [name, column(`${name}_s`)];
const number = (name: string): readonly [string, string] => [name, `todouble(${column(`${name}_s`)})`];
const time = (name: string): readonly [string, string] => [name, `todatetime(${column(`${name}_s`)})`];
const id = (name: string): readonly [string, string] => [
  name,
  `tostring(column_ifexists("${name}_g", ${column(`${name}_s`)}))`,
];

const columns: ReadonlyMap<string, string> = new Map([
  ...[
    "State",
    "BackupManagementType",
    "VaultUniqueId",
    "StorageReplicationType",
    "BackupItemUniqueId",
    "BackupItemProtectionState",
    "ProtectedContainerUniqueId",
    "PolicyName",
    "JobOperation",
    "JobOperationSubType",
    "JobStatus",
    "JobFailureCode",
    "RecoveryJobRPLocation",
  ].map(text),
  ...["BackupItemFrontEndSize", "StorageConsumedInMBs", "JobDurationInSecs", "DataTransferredInMB"].map(number),
  ...["JobStartDateTime", "RecoveryJobRPDateTime", "LatestRecoveryPointTime", "OldestRecoveryPointTime"].map(time),
  ...["JobUniqueId", "PolicyUniqueId"].map(id),
  ["VaultName", `iff(${column("VaultName_s")} == "", Resource, ${column("VaultName_s")})`],
  ["VaultType", '"Microsoft.RecoveryServices/vaults"'],
  ["AzureDataCenter", `tostring(split(${column("VaultUniqueId_s")}, ";")[0])`],
  ["BackupItemFriendlyName", friendlyName],
  ["DatasourceFriendlyName", friendlyName],
  // Machines are the items whose ids say so; jobs do not tell their item's type.
  [
    "DatasourceType",
    `iff(${column("BackupManagementType_s")} == "IaaSVM", "Microsoft.Compute/virtualMachines", ${column("BackupItemType_s")})`,
  ],
]);

/** What every record tells of itself and its vault; the region is the first part of the vault's id. */
export const ofEveryRecord: readonly string[] = [
  "State",
  "BackupManagementType",
  "ResourceId",
  "SubscriptionId",
  "VaultUniqueId",
  "VaultName",
  "VaultType",
  "AzureDataCenter",
];

/**
 * The rows of a table, with those of AzureDiagnostics where the function's caller does not exclude them.
 * Who may not read AzureDiagnostics gets the table alone.
 */
export function withLegacy(table: string, wanted: readonly string[]): string {
  const projected = ["TimeGenerated", "OperationName", ...wanted].map(
    (name) => `${name} = ${columns.get(name) ?? name}`,
  );
  return `union isfuzzy=true ${table}, (AzureDiagnostics
  | where not(ExcludeLegacyEvent) and Category == "AzureBackupReport"
  | project ${projected.join(", ")})`;
}
