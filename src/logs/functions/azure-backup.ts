// The functions that Azure's backup reports call. Every workspace has them; names, parameters and
// columns are Azure's. They read the tables of their own, not AzureDiagnostics.

import type { FunctionSchema } from "../../kql/index.ts";

const vaultParameters =
  'VaultSubscriptionList:string="*", VaultLocationList:string="*", VaultList:string="*", VaultTypeList:string="*", ExcludeLegacyEvent:bool=true';
const openRange = "RangeStart:datetime=datetime(null), RangeEnd:datetime=datetime(null)";
const closedRange = "RangeStart:datetime, RangeEnd:datetime";
const solutions = 'BackupSolutionList:string="*"';
const instanceParameters = `${vaultParameters}, ${solutions}, ProtectionInfoList:string="*", DatasourceSetName:string="*", BackupInstanceName:string="*", DisplayAllFields:bool=true`;
const groupParameters = `${vaultParameters}, ${solutions}, BillingGroupName:string="*"`;

const inRange =
  "(isnull(RangeStart) or TimeGenerated >= RangeStart) and (isnull(RangeEnd) or TimeGenerated < RangeEnd)";
const listed = (column: string, list: string): string => `(${list} == "*" or ${column} in~ (split(${list}, ",")))`;
const ofVaults = [
  listed("VaultSubscriptionId", "VaultSubscriptionList"),
  listed("VaultLocation", "VaultLocationList"),
  listed("VaultName", "VaultList"),
  listed("VaultType", "VaultTypeList"),
].join(" and ");
const solution =
  'case(BackupManagementType == "IaaSVM", "Azure Virtual Machine Backup", BackupManagementType == "MAB", "Azure Backup Agent", BackupManagementType == "AzureStorage", "Azure Storage (Azure Files) Backup", BackupManagementType == "AzureWorkload", "SQL in Azure VM Backup", BackupManagementType)';

const vaultColumns = `VaultResourceId = ResourceId, VaultSubscriptionId = SubscriptionId, VaultLocation = AzureDataCenter, VaultStore_StorageReplicationType = StorageReplicationType`;
const shownOfVault =
  "VaultResourceId, VaultUniqueId, VaultName, VaultTags, VaultSubscriptionId, VaultLocation, VaultStore_StorageReplicationType, VaultType";

const latest = (operation: string, keys: string): string => `CoreAzureBackup
| where OperationName == "${operation}" and ${inRange}
| summarize arg_max(TimeGenerated, *) by ${keys}`;

const instances = `let Sizes = ${latest("BackupItemFrontEndSizeConsumption", "BackupItemUniqueId")}
| project BackupItemUniqueId, SourceSizeInMBs = BackupItemFrontEndSize;
let Points = ${latest("RecoveryPoint", "BackupItemUniqueId")}
| project BackupItemUniqueId, LatestRecoveryPoint = LatestRecoveryPointTime, OldestRecoveryPoint = OldestRecoveryPointTime;
let Stored = AddonAzureBackupStorage
| where OperationName == "StorageAssociation" and ${inRange}
| summarize arg_max(TimeGenerated, *) by BackupItemUniqueId
| project BackupItemUniqueId, VaultStore_StorageConsumptionInMBs = StorageConsumedInMBs;
${latest("BackupItem", "BackupItemUniqueId")}
| where State != "Deleted"
| lookup kind=leftouter Sizes on BackupItemUniqueId
| lookup kind=leftouter Points on BackupItemUniqueId
| lookup kind=leftouter Stored on BackupItemUniqueId
| extend ${vaultColumns}, BackupSolution = ${solution}
| where ${ofVaults} and ${listed("BackupSolution", "BackupSolutionList")}
| where ${listed("BackupItemProtectionState", "ProtectionInfoList")} and ${listed("BackupItemFriendlyName", "BackupInstanceName")} and ${listed("DatasourceSetFriendlyName", "DatasourceSetName")}`;
const instanceColumns = `UniqueId = BackupItemUniqueId, Id = BackupItemId, FriendlyName = BackupItemFriendlyName, ProtectionInfo = BackupItemProtectionState, LatestRecoveryPoint, OldestRecoveryPoint, SourceSizeInMBs, VaultStore_StorageConsumptionInMBs, DataSourceFriendlyName = DatasourceFriendlyName, BackupSolution, DatasourceType, DatasourceResourceId, DatasourceSetFriendlyName, DatasourceSetResourceId, DatasourceSetType, PolicyName, PolicyUniqueId, PolicyId, ${shownOfVault}, TimeGenerated`;

const groups = `AddonAzureBackupProtectedInstance
| where OperationName == "ProtectedInstance" and ${inRange}
| extend UniqueId = iff(BackupItemUniqueId == "", ProtectedContainerUniqueId, BackupItemUniqueId), Type = iff(BackupItemUniqueId == "", "ProtectedContainer", "BackupItem")
| summarize arg_max(TimeGenerated, *) by UniqueId
| where State != "Deleted"
| extend Name = tostring(split(UniqueId, ";")[-1])
| extend FriendlyName = Name, ${vaultColumns}, BackupSolution = ${solution}
| where ${ofVaults} and ${listed("BackupSolution", "BackupSolutionList")} and ${listed("FriendlyName", "BillingGroupName")}`;
const groupColumns = `UniqueId, FriendlyName, Name, Type, SourceSizeInMBs, VaultStore_StorageConsumptionInMBs = StorageConsumedInMBs, BackupSolution, ${shownOfVault}, TimeGenerated, ExtendedProperties = dynamic({})`;

const bucket =
  'case(AggregationType =~ "Weekly", startofweek(TimeGenerated), AggregationType =~ "Monthly", startofmonth(TimeGenerated), startofday(TimeGenerated))';

export const azureBackupFunctions: readonly FunctionSchema[] = [
  {
    name: "_AzureBackup_GetVaults",
    parameters: `${openRange}, ${vaultParameters}`,
    body: `${latest("Vault", "VaultUniqueId")}
| where State != "Deleted"
| extend ${vaultColumns}
| where ${ofVaults}
| project UniqueId = VaultUniqueId, Id = ResourceId, Name = VaultName, SubscriptionId, Location = AzureDataCenter, VaultStore_StorageReplicationType, Tags = VaultTags, TimeGenerated, Type = VaultType`,
  },
  {
    name: "_AzureBackup_GetPolicies",
    parameters: `${openRange}, ${vaultParameters}, ${solutions}`,
    body: `AddonAzureBackupPolicy
| where OperationName == "Policy" and ${inRange}
| summarize arg_max(TimeGenerated, *) by PolicyUniqueId, VaultUniqueId
| where State != "Deleted"
| extend ${vaultColumns}, BackupSolution = ${solution}
| where ${ofVaults} and ${listed("BackupSolution", "BackupSolutionList")}
| project UniqueId = PolicyUniqueId, Id = PolicyId, Name = PolicyName, TimeZone = PolicyTimeZone, BackupSolution, TimeGenerated, ${shownOfVault}, ExtendedProperties`,
  },
  {
    name: "_AzureBackup_GetJobs",
    parameters: `${closedRange}, ${vaultParameters}, ${solutions}, JobOperationList:string="*", JobStatusList:string="*", JobFailureCodeList:string="*", DatasourceSetName:string="*", BackupInstanceName:string="*", ExcludeLog:bool=true`,
    body: `AddonAzureBackupJobs
| where OperationName == "Job" and JobStartDateTime >= RangeStart and JobStartDateTime < RangeEnd
| summarize arg_max(TimeGenerated, *) by JobUniqueId
| extend ${vaultColumns}, BackupSolution = ${solution}
| where ${ofVaults} and ${listed("BackupSolution", "BackupSolutionList")}
| where ${listed("JobOperation", "JobOperationList")} and ${listed("JobStatus", "JobStatusList")} and ${listed("JobFailureCode", "JobFailureCodeList")}
| where ${listed("BackupItemFriendlyName", "BackupInstanceName")} and ${listed("DatasourceSetFriendlyName", "DatasourceSetName")}
| where not(ExcludeLog) or not(JobOperationSubType in ("Log", "Recovery point_Log"))
| project UniqueId = JobUniqueId, OperationCategory = JobOperation, Operation = iff(JobOperationSubType == "", JobOperation, JobOperationSubType), Status = JobStatus, ErrorTitle = JobFailureCode, StartTime = JobStartDateTime, DurationInSecs = JobDurationInSecs, DataTransferredInMBs = DataTransferredInMB, RestoreJobRPDateTime = RecoveryJobRPDateTime, RestoreJobRPLocation = RecoveryJobRPLocation, BackupInstanceUniqueId = BackupItemUniqueId, BackupInstanceId = BackupItemId, BackupInstanceFriendlyName = BackupItemFriendlyName, DatasourceResourceId, DatasourceFriendlyName, DatasourceType, BackupSolution, DatasourceSetResourceId, DatasourceSetType, ${shownOfVault}, TimeGenerated`,
  },
  {
    name: "_AzureBackup_GetBackupInstances",
    parameters: `${openRange}, ${instanceParameters}`,
    body: `${instances}
| project ${instanceColumns}`,
  },
  {
    name: "_AzureBackup_GetBillingGroups",
    parameters: `${openRange}, ${groupParameters}`,
    body: `${groups}
| project ${groupColumns}`,
  },
  {
    name: "_AzureBackup_GetBackupInstancesTrends",
    parameters: `${closedRange}, ${instanceParameters}, AggregationType:string="Daily"`,
    body: `${trend(instances, "BackupItemUniqueId")}
| project ${instanceColumns}`,
  },
  {
    name: "_AzureBackup_GetBillingGroupsTrends",
    parameters: `${closedRange}, ${groupParameters}, AggregationType:string="Daily"`,
    body: `${trend(groups, "UniqueId")}
| project ${groupColumns}`,
  },
];

/** The same, with the latest of each day, week or month instead of the latest of all. */
function trend(body: string, key: string): string {
  return body
    .replaceAll(
      /\| summarize arg_max\(TimeGenerated, \*\) by (\w+)/g,
      `| extend Period = ${bucket}\n| summarize arg_max(TimeGenerated, *) by $1, Period`,
    )
    .replaceAll("| project BackupItemUniqueId,", "| project BackupItemUniqueId, Period,")
    .replaceAll("on BackupItemUniqueId", "on BackupItemUniqueId, Period")
    .concat(`\n| summarize arg_max(TimeGenerated, *) by ${key}, Period\n| extend TimeGenerated = Period`);
}
