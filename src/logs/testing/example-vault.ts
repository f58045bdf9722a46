// A vault with a machine, a database and an agent's folder, and a week of what happened in it.

import type {
  AlertFacts,
  ItemFacts,
  JobFacts,
  PolicyFacts,
  VaultFacts,
  VaultInventory,
} from "../azure/backup-facts.ts";

export const dayMilliseconds = 86_400_000;

export const exampleVault: VaultFacts = {
  id: "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/ops/providers/Microsoft.RecoveryServices/vaults/main",
  guid: "5b0c52cc-6f07-4a4c-9cf7-9e6b9e2f9c11",
  name: "main",
  location: "local",
  subscriptionId: "00000000-0000-4000-8000-000000000001",
  resourceGroup: "ops",
  redundancy: "LocallyRedundant",
  tags: { owner: "ops" },
  isDeleted: false,
};

export const examplePolicy: PolicyFacts = {
  id: `${exampleVault.id}/backupPolicies/Nightly`,
  name: "Nightly",
  management: "AzureIaasVM",
  properties: {
    backupManagementType: "AzureIaasVM",
    policyType: "V1",
    schedulePolicy: {
      schedulePolicyType: "SimpleSchedulePolicy",
      scheduleRunFrequency: "Daily",
      scheduleRunTimes: ["2026-01-01T02:30:00Z"],
    },
    retentionPolicy: {
      retentionPolicyType: "LongTermRetentionPolicy",
      dailySchedule: {
        retentionTimes: ["2026-01-01T02:30:00Z"],
        retentionDuration: { count: 30, durationType: "Days" },
      },
      monthlySchedule: {
        retentionScheduleFormatType: "Weekly",
        retentionScheduleWeekly: { daysOfTheWeek: ["Sunday"], weeksOfTheMonth: ["First"] },
        retentionTimes: ["2026-01-01T02:30:00Z"],
        retentionDuration: { count: 12, durationType: "Months" },
      },
    },
    instantRpRetentionRangeInDays: 2,
    timeZone: "UTC",
  },
  isDeleted: false,
};

const machine: ItemFacts = {
  id: `${exampleVault.id}/backupFabrics/Azure/protectionContainers/IaasVMContainer;iaasvmcontainerv2;apps;web1/protectedItems/VM;iaasvmcontainerv2;apps;web1`,
  name: "VM;iaasvmcontainerv2;apps;web1",
  friendlyName: "web1",
  containerName: "IaasVMContainer;iaasvmcontainerv2;apps;web1",
  containerFriendlyName: "web1",
  management: "AzureIaasVM",
  itemType: "VM",
  sourceResourceId:
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/apps/providers/Microsoft.Compute/virtualMachines/web1",
  sourceType: "Microsoft.Compute/virtualMachines",
  osType: "Linux",
  protectionState: "Protected",
  policy: { id: examplePolicy.id, name: examplePolicy.name },
  sourceBytes: 10 * 1024 ** 3,
  storedBytes: 3 * 1024 ** 3,
  oldestPoint: { at: Date.UTC(2026, 0, 4, 2, 35), location: "Cloud" },
  latestPoint: { at: Date.UTC(2026, 0, 10, 2, 35), location: "Cloud" },
  isDeleted: false,
};

const database: ItemFacts = {
  ...machine,
  id: `${exampleVault.id}/backupFabrics/Azure/protectionContainers/VMAppContainer;Compute;apps;sql1/protectedItems/SQLDataBase;mssqlserver;orders`,
  name: "SQLDataBase;mssqlserver;orders",
  friendlyName: "orders",
  containerName: "VMAppContainer;Compute;apps;sql1",
  containerFriendlyName: "sql1",
  management: "AzureWorkload",
  itemType: "SQLDataBase",
  sourceType: "SQLDataBase",
  policy: undefined,
};

const folder: ItemFacts = {
  ...machine,
  id: `${exampleVault.id}/backupFabrics/Azure/protectionContainers/Windows;laptop/protectedItems/files`,
  name: "files",
  friendlyName: "C:\\",
  containerName: "Windows;laptop",
  containerFriendlyName: "laptop",
  management: "MAB",
  itemType: "FileFolder",
  sourceType: "FileFolder",
  policy: undefined,
};

export const exampleItems = { machine, database, folder };

export const exampleInventory: VaultInventory = {
  vault: exampleVault,
  policies: [examplePolicy],
  items: [machine, database, folder],
};

export function exampleJob(number: number, changes: Partial<JobFacts> = {}): JobFacts {
  return {
    id: `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`,
    item: machine,
    operation: "Backup",
    subType: undefined,
    status: "Completed",
    errorCode: undefined,
    startedAt: Date.UTC(2026, 0, 10, 2, 30),
    endedAt: Date.UTC(2026, 0, 10, 2, 35),
    isScheduled: true,
    transferredBytes: 512 * 1024 ** 2,
    recovery: undefined,
    ...changes,
  };
}

export function exampleAlert(id: string, changes: Partial<AlertFacts> = {}): AlertFacts {
  return {
    id,
    code: "BackupFailure",
    severity: "Critical",
    status: "Active",
    type: "Backup",
    occurredAt: Date.UTC(2026, 0, 10, 2, 35),
    resolvedAt: undefined,
    recommendedAction: "Start the machine.",
    occurrences: 1,
    item: machine,
    ...changes,
  };
}
