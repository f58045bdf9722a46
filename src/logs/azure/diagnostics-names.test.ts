// The columns of AzureDiagnostics by operation, as Microsoft's data model of Azure Backup reports names
// them (version 2): what there is of virtual machines.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  exampleAlert,
  exampleInventory,
  exampleItems,
  exampleJob,
  examplePolicy,
  exampleVault,
} from "../testing/example-vault.ts";
import { alertEntries, inventoryEntries, jobEntries } from "./backup-entries.ts";
import { backupRecords, type Destination } from "./backup-records.ts";

const names: Readonly<Record<string, string>> = {
  Alert: `AlertUniqueId_s AlertUniqueId_g AlertType_s AlertStatus_s AlertOccurrenceDateTime_s AlertSeverity_s
    AlertTimeToResolveInMinutes_s AlertConsolidationStatus_s CountOfAlertsConsolidated_s AlertRaisedOn_s AlertCode_s
    RecommendedAction_s BackupItemUniqueId_s ProtectedContainerUniqueId_s VaultUniqueId_s`,
  BackupItem: `BackupItemUniqueId_s BackupItemName_s BackupItemFriendlyName_s BackupItemType_s
    BackupItemProtectionState_s ProtectionState_s BackupManagementType_s`,
  BackupItemAssociation: "BackupItemUniqueId_s BackupItemSourceSize_s ProtectedContainerUniqueId_s VaultUniqueId_s",
  Job: `JobUniqueId_g JobOperation_s JobOperationSubType_s JobStatus_s JobFailureCode_s JobStartDateTime_s
    AdHocOrScheduledJob_s JobDurationInSecs_s DataTransferredInMB_s BackupStorageDestination_s
    RecoveryJobDestination_s RecoveryJobRPDateTime_s RecoveryJobRPLocation_s BackupItemUniqueId_s
    ProtectedContainerUniqueId_s VaultUniqueId_s`,
  Policy: `PolicyUniqueId_g PolicyName_s BackupFrequency_s BackupTimes_s BackupDaysOfTheWeek_s
    DailyRetentionDuration_s DailyRetentionTimes_s WeeklyRetentionDuration_s WeeklyRetentionTimes_s
    WeeklyRetentionDaysOfTheWeek_s MonthlyRetentionDuration_s MonthlyRetentionTimes_s MonthlyRetentionFormat_s
    MonthlyRetentionDaysOfTheWeek_s MonthlyRetentionWeeksOfTheMonth_s YearlyRetentionDuration_s
    YearlyRetentionTimes_s YearlyRetentionMonthsOfTheYear_s YearlyRetentionFormat_s YearlyRetentionDaysOfTheMonth_s`,
  PolicyAssociation: "PolicyUniqueId_g VaultUniqueId_s BackupItemUniqueId_s",
  ProtectedContainer: `ProtectedContainerUniqueId_s ProtectedContainerName_s ProtectedContainerFriendlyName_s
    ProtectedContainerOSType_s EntityState_s ProtectedContainerWorkloadType_s ProtectedContainerLocation_s
    ProtectedContainerType_s ProtectedContainerProtectionState_s`,
  Storage: "StorageUniqueId_s StorageType_s StorageName_s StorageTotalSizeInGBs_s ProtectedInstances_s VaultUniqueId_s",
  StorageAssociation: "StorageUniqueId_s BackupItemUniqueId_s VaultUniqueId_s StorageConsumedInMBs_s",
  Vault: "VaultUniqueId_s VaultName_s AzureDataCenter_s StorageReplicationType_s",
  ProtectedInstance: "BackupItemUniqueId_s ProtectedContainerUniqueId_s ProtectedInstanceCount_s",
  RecoveryPoint: `BackupItemUniqueId_s OldestRecoveryPointTime_s OldestRecoveryPointLocation_s
    LatestRecoveryPointTime_s LatestRecoveryPointLocation_s`,
};

const now = Date.UTC(2026, 0, 10);
const rule = { retentionTimes: ["2026-01-01T02:30:00Z"], retentionDuration: { count: 5, durationType: "Weeks" } };
const weekly = {
  ...examplePolicy,
  name: "Weekly",
  properties: {
    ...examplePolicy.properties,
    schedulePolicy: {
      scheduleRunFrequency: "Weekly",
      scheduleRunDays: ["Sunday"],
      scheduleRunTimes: rule.retentionTimes,
    },
    retentionPolicy: {
      weeklySchedule: { ...rule, daysOfTheWeek: ["Sunday"] },
      yearlySchedule: {
        ...rule,
        monthsOfYear: ["January"],
        retentionScheduleFormatType: "Daily",
        retentionScheduleDaily: { daysOfTheMonth: [{ date: 1, isLast: false }] },
      },
    },
  },
};

test("every name that reports know of machines is a column of the records, with its suffix", () => {
  const recovery = { destination: "web1", pointAt: now, pointLocation: "Cloud" };
  const jobs = [
    exampleJob(1),
    exampleJob(2, { operation: "Restore", recovery }),
    exampleJob(3, { item: exampleItems.database, subType: "Log" }),
  ];
  const alerts = [
    { ...exampleAlert("one"), status: "Resolved" as const, resolvedAt: now },
    exampleAlert("f0000000-0000-4000-8000-00000000000a", { item: exampleItems.folder }),
  ];
  const entries = [
    ...inventoryEntries({ ...exampleInventory, policies: [...exampleInventory.policies, weekly] }),
    ...jobs.flatMap((job) => jobEntries(job, exampleVault)),
    ...alerts.flatMap((alert) => alertEntries(alert, exampleVault)),
  ];
  const diagnostics: Destination = { workspace: "w", isDedicated: false, wants: () => true };
  const seen = new Map<unknown, Set<string>>();
  for (const { records } of backupRecords(entries, exampleVault, [diagnostics], now)) {
    for (const record of records) {
      const columns = seen.get(record["OperationName"]) ?? new Set();
      seen.set(record["OperationName"], columns);
      for (const [name, value] of Object.entries(record)) if (value !== undefined) columns.add(name);
    }
  }
  const missing = Object.entries(names).map(([operation, list]) => [
    operation,
    [...list.split(/\s+/), "EventName_s", "SchemaVersion_s", "State_s"].filter(
      (name) => !seen.get(operation)?.has(name),
    ),
  ]);
  assert.deepEqual(
    missing.filter(([, absent]) => absent?.length !== 0),
    [],
  );
});
