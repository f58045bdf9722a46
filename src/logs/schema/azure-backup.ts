// The resource-specific tables of Azure Backup: names and types as existing queries expect them.
// StorageConsumedInMBs of the archive tier is a text in one table and a number in the others: so it is in Azure.

import { typedColumns, type LogTable } from "./log-table.ts";

/** Every one of these tables has them. */
const standard = typedColumns({
  string:
    "TenantId Category OperationName ResourceId _ResourceId SchemaVersion SourceSystem State _SubscriptionId Type VaultUniqueId _IsBillable BackupManagementType BackupManagementServerUniqueId",
  datetime: "TimeGenerated",
  real: "_BilledSize",
});

export const azureBackupTables: readonly LogTable[] = [
  {
    name: "CoreAzureBackup",
    columns: [
      ...standard,
      ...typedColumns({
        string: `
      AgentVersion ArchiveTierLatestRecoveryPointLocation ArchiveTierOldestRecoveryPointLocation
      ArchiveTierStorageReplicationType AzureBackupAgentVersion AzureDataCenter BackupItemAppVersion
      BackupItemFriendlyName BackupItemId BackupItemName BackupItemProtectionState BackupItemType
      BackupItemUniqueId BackupManagementServerName BackupManagementServerOSVersion BackupManagementServerType
      BackupManagementServerVersion BillingGroupFriendlyName BillingGroupUniqueId DatasourceFriendlyName
      DatasourceResourceGroupName DatasourceResourceId DatasourceSetFriendlyName DatasourceSetResourceId
      DatasourceSetType DatasourceSubscriptionId DatasourceType LatestRecoveryPointLocation
      OldestRecoveryPointLocation PolicyId PolicyName PolicyUniqueId ProtectedContainerFriendlyName
      ProtectedContainerLocation ProtectedContainerName ProtectedContainerOSType ProtectedContainerOSVersion
      ProtectedContainerProtectionState ProtectedContainerType ProtectedContainerUniqueId
      ProtectedContainerWorkloadType ProtectionGroupName ResourceGroupName SecondaryBackupProtectionState
      StorageReplicationType SubscriptionId VaultName VaultTags VaultType`,
        datetime: `
      ArchiveTierLatestRecoveryPointTime ArchiveTierOldestRecoveryPointTime LatestRecoveryPointTime
      OldestRecoveryPointTime`,
        real: `
      ArchiveTierStorageConsumedInMBs BackupItemFrontEndSize StorageConsumedInMBs`,
        bool: `
      IsArchiveEnabled`,
        dynamic: `
      ExtendedProperties`,
      }),
    ],
  },
  {
    name: "AddonAzureBackupJobs",
    columns: [
      ...standard,
      ...typedColumns({
        string: `
      AdHocOrScheduledJob ArchiveTierStorageReplicationType AzureDataCenter BackupItemFriendlyName BackupItemId
      BackupItemUniqueId DatasourceFriendlyName DatasourceResourceId DatasourceSetFriendlyName
      DatasourceSetResourceId DatasourceSetType DatasourceType JobFailureCode JobOperation JobOperationSubType
      JobStatus JobUniqueId ProtectedContainerUniqueId RecoveryJobDestination RecoveryJobRPLocation
      RecoveryLocationType ResourceGroupName StorageReplicationType SubscriptionId VaultName VaultTags VaultType`,
        datetime: `
      JobStartDateTime RecoveryJobRPDateTime`,
        real: `
      DataTransferredInMB JobDurationInSecs`,
        dynamic: `
      ExtendedProperties`,
      }),
    ],
  },
  {
    name: "AddonAzureBackupPolicy",
    columns: [
      ...standard,
      ...typedColumns({
        string: `
      ArchiveTieringDurationType ArchiveTieringMode ArchiveTierStorageReplicationType AzureDataCenter
      BackupDaysOfTheWeek BackupFrequency BackupTimes DailyRetentionTimes DatasourceType DiffBackupDaysofTheWeek
      DiffBackupFormat DiffBackupTime DifferentialBackupDaysOfTheWeek DifferentialBackupFrequency
      DifferentialBackupTimes FullBackupDaysOfTheWeek FullBackupFrequency FullBackupTimes
      IncrementalBackupDaysOfTheWeek IncrementalBackupFrequency IncrementalBackupTimes
      MonthlyRetentionDaysOfTheMonth MonthlyRetentionDaysOfTheWeek MonthlyRetentionFormat MonthlyRetentionTimes
      MonthlyRetentionWeeksOfTheMonth PolicyId PolicyName PolicySubType PolicyTimeZone PolicyUniqueId
      ResourceGroupName RetentionType StorageReplicationType SubscriptionId SynchronisationFrequencyPerDay
      VaultName VaultTags VaultType WeeklyRetentionDaysOfTheWeek WeeklyRetentionTimes
      YearlyRetentionDaysOfTheMonth YearlyRetentionDaysOfTheWeek YearlyRetentionFormat
      YearlyRetentionMonthsOfTheYear YearlyRetentionTimes YearlyRetentionWeeksOfTheMonth`,
        int: `
      ArchiveTierDailyRetentionDuration ArchiveTierDefaultRetentionDuration ArchiveTieringDuration
      ArchiveTierMonthlyRetentionDuration ArchiveTierWeeklyRetentionDuration ArchiveTierYearlyRetentionDuration
      BackupIntervalInHours DailyRetentionDuration DiffBackupRetentionDuration LogBackupFrequency
      LogBackupRetentionDuration MonthlyRetentionDuration RetentionDuration ScheduleWindowDuration
      SnapshotTierDailyRetentionDuration SnapshotTierDefaultRetentionDuration
      SnapshotTierMonthlyRetentionDuration SnapshotTierWeeklyRetentionDuration
      SnapshotTierYearlyRetentionDuration StandardTierDefaultRetentionDuration WeeklyRetentionDuration
      YearlyRetentionDuration`,
        datetime: `
      ScheduleWindowStartTime`,
        dynamic: `
      ExtendedProperties`,
      }),
    ],
  },
  {
    name: "AddonAzureBackupAlerts",
    columns: [
      ...standard,
      ...typedColumns({
        string: `
      AlertCode AlertConsolidationStatus AlertRaisedOn AlertSeverity AlertStatus AlertType AlertUniqueId
      BackupItemUniqueId ProtectedContainerUniqueId RecommendedAction StorageUniqueId`,
        datetime: `
      AlertOccurrenceDateTime`,
        real: `
      AlertTimeToResolveInMinutes`,
        int: `
      CountOfAlertsConsolidated`,
      }),
    ],
  },
  {
    name: "AddonAzureBackupStorage",
    columns: [
      ...standard,
      ...typedColumns({
        string: `
      ArchiveTierStorageConsumedInMBs BackupItemUniqueId PreferredWorkloadOnVolume ProtectedContainerUniqueId
      StorageName StorageType StorageUniqueId VolumeFriendlyName`,
        real: `
      StorageAllocatedInMBs StorageConsumedInMBs StorageTotalSizeInGBs`,
        dynamic: `
      ExtendedProperties`,
      }),
    ],
  },
  {
    name: "AddonAzureBackupProtectedInstance",
    columns: [
      ...standard,
      ...typedColumns({
        string: `
      ArchiveTierStorageReplicationType AzureDataCenter BackupItemUniqueId BillingGroupFriendlyName
      BillingGroupResourceGroupName BillingGroupType BillingGroupUniqueId DatasourceType
      ProtectedContainerUniqueId ResourceGroupName StorageReplicationType SubscriptionId VaultName VaultTags
      VaultType`,
        int: `
      ProtectedInstanceCount`,
        real: `
      ArchiveTierStorageConsumedInMBs SourceSizeInMBs StorageConsumedInMBs`,
      }),
    ],
  },
  {
    name: "AzureBackupOperations",
    columns: typedColumns({
      string:
        "TenantId BackupManagementType Category OperationName OperationType SchemaVersion SourceSystem Type ResourceId _ResourceId _SubscriptionId _IsBillable",
      datetime: "TimeGenerated OperationStartTime",
      dynamic: "ExtendedProperties",
      real: "_BilledSize",
    }),
  },
];
