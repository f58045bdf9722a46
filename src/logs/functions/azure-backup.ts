// The functions that Azure's backup reports call. Every workspace has them; names, parameters and
// columns are Azure's. Given a range, they tell every record in it; without one, the latest of each.

import type { FunctionSchema } from "../../kql/index.ts";
import { ofEveryRecord, withLegacy } from "./legacy-records.ts";

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

/** Of which stretch of time one record of each is told: of all of it, of every moment, of every day or so. */
const never = "datetime(null)";
const ofRange = "iff(isnull(RangeStart) or isnull(RangeEnd), datetime(null), TimeGenerated)";
const ofPeriod =
  'case(AggregationType =~ "Weekly", startofweek(TimeGenerated), AggregationType =~ "Monthly", startofmonth(TimeGenerated), startofday(TimeGenerated))';

const latest = (source: string, operation: string, keys: string, period: string): string => `${source}
| where OperationName == "${operation}" and ${inRange}
| extend Period = ${period}
| summarize arg_max(TimeGenerated, *) by ${keys}, Period`;

const vaults = withLegacy("CoreAzureBackup", [...ofEveryRecord, "StorageReplicationType"]);
const policies = withLegacy("AddonAzureBackupPolicy", [...ofEveryRecord, "PolicyUniqueId", "PolicyName"]);
const jobs = withLegacy("AddonAzureBackupJobs", [
  ...ofEveryRecord,
  "JobUniqueId",
  "JobOperation",
  "JobOperationSubType",
  "JobStatus",
  "JobFailureCode",
  "JobStartDateTime",
  "JobDurationInSecs",
  "DataTransferredInMB",
  "RecoveryJobRPDateTime",
  "RecoveryJobRPLocation",
  "BackupItemUniqueId",
  "BackupItemFriendlyName",
  "DatasourceFriendlyName",
  "DatasourceType",
]);
const protectedInstances = withLegacy("AddonAzureBackupProtectedInstance", [
  ...ofEveryRecord,
  "BackupItemUniqueId",
  "ProtectedContainerUniqueId",
]);
const backupItems = withLegacy("CoreAzureBackup", [
  ...ofEveryRecord,
  "BackupItemUniqueId",
  "BackupItemFriendlyName",
  "BackupItemProtectionState",
  "DatasourceFriendlyName",
  "DatasourceType",
]);
const sizes = withLegacy("CoreAzureBackup", ["BackupItemUniqueId", "BackupItemFrontEndSize"]);
const points = withLegacy("CoreAzureBackup", [
  "BackupItemUniqueId",
  "LatestRecoveryPointTime",
  "OldestRecoveryPointTime",
]);
const stored = withLegacy("AddonAzureBackupStorage", ["BackupItemUniqueId", "StorageConsumedInMBs"]);

/** Sizes and recovery points are looked up only where all fields are wanted. */
function instances(period: string, measured: string): string {
  const detail = (source: string, operation: string): string =>
    latest(`${source}\n| where DisplayAllFields`, operation, "BackupItemUniqueId", measured);
  const on = measured === never ? "BackupItemUniqueId" : "BackupItemUniqueId, Period";
  return `let Sizes = ${detail(sizes, "BackupItemFrontEndSizeConsumption")}
| project ${on}, SourceSizeInMBs = BackupItemFrontEndSize;
let Points = ${detail(points, "RecoveryPoint")}
| project ${on}, LatestRecoveryPoint = LatestRecoveryPointTime, OldestRecoveryPoint = OldestRecoveryPointTime;
let Stored = ${detail(stored, "StorageAssociation")}
| project ${on}, VaultStore_StorageConsumptionInMBs = StorageConsumedInMBs;
${latest(backupItems, "BackupItem", "BackupItemUniqueId", period)}
| where State != "Deleted"
| lookup kind=leftouter Sizes on ${on}
| lookup kind=leftouter Points on ${on}
| lookup kind=leftouter Stored on ${on}
| extend ${vaultColumns}, BackupSolution = ${solution}
| where ${ofVaults} and ${listed("BackupSolution", "BackupSolutionList")}
| where ${listed("BackupItemProtectionState", "ProtectionInfoList")} and ${listed("BackupItemFriendlyName", "BackupInstanceName")} and ${listed("DatasourceSetFriendlyName", "DatasourceSetName")}`;
}
const instanceColumns = `UniqueId = BackupItemUniqueId, Id = BackupItemId, FriendlyName = BackupItemFriendlyName, ProtectionInfo = BackupItemProtectionState, LatestRecoveryPoint, OldestRecoveryPoint, SourceSizeInMBs, VaultStore_StorageConsumptionInMBs, DataSourceFriendlyName = DatasourceFriendlyName, BackupSolution, DatasourceType, DatasourceResourceId, DatasourceSetFriendlyName, DatasourceSetResourceId, DatasourceSetType, PolicyName, PolicyUniqueId, PolicyId, ${shownOfVault}, TimeGenerated`;

const groups = (period: string): string => `${protectedInstances}
| where OperationName == "ProtectedInstance" and ${inRange}
| extend UniqueId = iff(BackupItemUniqueId == "", ProtectedContainerUniqueId, BackupItemUniqueId), Type = iff(BackupItemUniqueId == "", "ProtectedContainer", "BackupItem"), Period = ${period}
| summarize arg_max(TimeGenerated, *) by UniqueId, Period
| where State != "Deleted"
| extend Name = tostring(split(UniqueId, ";")[-1])
| extend FriendlyName = Name, ${vaultColumns}, BackupSolution = ${solution}
| where ${ofVaults} and ${listed("BackupSolution", "BackupSolutionList")} and ${listed("FriendlyName", "BillingGroupName")}`;
const groupColumns = `UniqueId, FriendlyName, Name, Type, SourceSizeInMBs, VaultStore_StorageConsumptionInMBs = StorageConsumedInMBs, BackupSolution, ${shownOfVault}, TimeGenerated, ExtendedProperties = dynamic({})`;

const typesOfVault =
  "VaultResourceId:string, VaultUniqueId:string, VaultName:string, VaultTags:string, VaultSubscriptionId:string, VaultLocation:string, VaultStore_StorageReplicationType:string, VaultType:string";
const instanceTypes = `UniqueId:string, Id:string, FriendlyName:string, ProtectionInfo:string, LatestRecoveryPoint:datetime, OldestRecoveryPoint:datetime, SourceSizeInMBs:real, VaultStore_StorageConsumptionInMBs:real, DataSourceFriendlyName:string, BackupSolution:string, DatasourceType:string, DatasourceResourceId:string, DatasourceSetFriendlyName:string, DatasourceSetResourceId:string, DatasourceSetType:string, PolicyName:string, PolicyUniqueId:string, PolicyId:string, ${typesOfVault}, TimeGenerated:datetime`;
const groupTypes = `UniqueId:string, FriendlyName:string, Name:string, Type:string, SourceSizeInMBs:real, VaultStore_StorageConsumptionInMBs:real, BackupSolution:string, ${typesOfVault}, TimeGenerated:datetime, ExtendedProperties:dynamic`;

export const azureBackupFunctions: readonly FunctionSchema[] = [
  {
    name: "_AzureBackup_GetVaults",
    parameters: `${openRange}, ${vaultParameters}`,
    returns:
      "UniqueId:string, Id:string, Name:string, SubscriptionId:string, Location:string, VaultStore_StorageReplicationType:string, Tags:string, TimeGenerated:datetime, Type:string",
    body: `${latest(vaults, "Vault", "VaultUniqueId", ofRange)}
| where State != "Deleted"
| extend ${vaultColumns}
| where ${ofVaults}
| project UniqueId = VaultUniqueId, Id = ResourceId, Name = VaultName, SubscriptionId, Location = AzureDataCenter, VaultStore_StorageReplicationType, Tags = VaultTags, TimeGenerated, Type = VaultType`,
  },
  {
    name: "_AzureBackup_GetPolicies",
    parameters: `${openRange}, ${vaultParameters}, ${solutions}`,
    returns: `UniqueId:string, Id:string, Name:string, TimeZone:string, BackupSolution:string, TimeGenerated:datetime, ${typesOfVault}, ExtendedProperties:dynamic`,
    body: `${latest(policies, "Policy", "PolicyUniqueId, VaultUniqueId", ofRange)}
| where State != "Deleted"
| extend ${vaultColumns}, BackupSolution = ${solution}
| where ${ofVaults} and ${listed("BackupSolution", "BackupSolutionList")}
| project UniqueId = PolicyUniqueId, Id = PolicyId, Name = PolicyName, TimeZone = PolicyTimeZone, BackupSolution, TimeGenerated, ${shownOfVault}, ExtendedProperties`,
  },
  {
    name: "_AzureBackup_GetJobs",
    parameters: `${closedRange}, ${vaultParameters}, ${solutions}, JobOperationList:string="*", JobStatusList:string="*", JobFailureCodeList:string="*", DatasourceSetName:string="*", BackupInstanceName:string="*", ExcludeLog:bool=true`,
    returns: `UniqueId:string, OperationCategory:string, Operation:string, Status:string, ErrorTitle:string, StartTime:datetime, DurationInSecs:real, DataTransferredInMBs:real, RestoreJobRPDateTime:datetime, RestoreJobRPLocation:string, BackupInstanceUniqueId:string, BackupInstanceId:string, BackupInstanceFriendlyName:string, DatasourceResourceId:string, DatasourceFriendlyName:string, DatasourceType:string, BackupSolution:string, DatasourceSetResourceId:string, DatasourceSetType:string, ${typesOfVault}, TimeGenerated:datetime`,
    body: `${jobs}
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
    returns: instanceTypes,
    body: `${instances(ofRange, never)}
| project ${instanceColumns}`,
  },
  {
    name: "_AzureBackup_GetBillingGroups",
    parameters: `${openRange}, ${groupParameters}`,
    returns: groupTypes,
    body: `${groups(ofRange)}
| project ${groupColumns}`,
  },
  {
    name: "_AzureBackup_GetBackupInstancesTrends",
    parameters: `${closedRange}, ${instanceParameters}, AggregationType:string="Daily"`,
    returns: instanceTypes,
    body: `${instances(ofPeriod, ofPeriod)}
| extend TimeGenerated = Period
| project ${instanceColumns}`,
  },
  {
    name: "_AzureBackup_GetBillingGroupsTrends",
    parameters: `${closedRange}, ${groupParameters}, AggregationType:string="Daily"`,
    returns: groupTypes,
    body: `${groups(ofPeriod)}
| extend TimeGenerated = Period
| project ${groupColumns}`,
  },
];
