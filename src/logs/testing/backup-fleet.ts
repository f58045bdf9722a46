// Records of a small fleet that backs up for ten days, for tests that ask and count them.

import { seededRandom } from "../../lib/random.ts";
import { day, hour, latest, now } from "./answers.ts";

const random = seededRandom(11);
const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
export const vaultId = (name: string): string =>
  `/subscriptions/aaaaaaaa-1111-2222-3333-444444444444/resourceGroups/Ops/providers/Microsoft.RecoveryServices/vaults/${name}`;

export const machines = Array.from({ length: 6 }, (_, n) => ({
  id: `westeurope;${n % 2 === 0 ? "v-a" : "v-b"};vm;iaasvmcontainerv2;apps;web${n}`,
  name: `web${n}`,
  vault: n % 2 === 0 ? "Main" : "Second",
  type: n === 5 ? "SQLDataBase" : n === 4 ? "FileFolder" : "VM",
  management: n === 5 ? "AzureWorkload" : n === 4 ? "MAB" : "IaaSVM",
}));
export type Machine = (typeof machines)[number];
const statuses = ["Completed", "Completed", "Completed", "CompletedWithWarnings", "Failed"];

export const jobs = Array.from({ length: 90 }, (_, n) => {
  const machine = pick(machines);
  const status = pick(statuses);
  const ended = now - Math.floor(random() * 10 * day);
  const seconds = 60 + Math.floor(random() * 7000);
  return {
    TimeGenerated: ended,
    OperationName: "Job",
    ResourceId: vaultId(machine.vault),
    VaultName: machine.vault,
    VaultUniqueId: machine.id.split(";").slice(0, 2).join(";"),
    BackupManagementType: machine.management,
    // Some are told twice: running first.
    JobUniqueId: `00000000-0000-4000-8000-${String(n - (n % 9 === 8 ? 1 : 0)).padStart(12, "0")}`,
    BackupItemUniqueId: machine.id,
    JobOperation: n % 8 === 0 ? "Restore" : "Backup",
    JobOperationSubType: machine.type === "SQLDataBase" && n % 3 === 0 ? "Log" : "",
    JobStatus: status,
    JobFailureCode:
      status === "Failed" ? pick(["UserErrorVmNotFound", "SnapshotTimeout", "UserErrorAgent"]) : "Success",
    JobStartDateTime: ended - seconds * 1000,
    JobDurationInSecs: seconds,
    DataTransferredInMB: Math.floor(random() * 4000) / 4,
    AdHocOrScheduledJob: n % 4 === 0 ? "Adhoc" : "Scheduled",
  };
});
export type Job = (typeof jobs)[number];

export const items = [1, 2, 3].flatMap((ago) =>
  machines.map((machine, n) => ({
    TimeGenerated: now - ago * day + n * 1000,
    OperationName: "BackupItem",
    ResourceId: vaultId(machine.vault),
    BackupManagementType: machine.management,
    BackupItemUniqueId: machine.id,
    BackupItemFriendlyName: machine.name,
    BackupItemType: machine.type,
    BackupItemProtectionState: n === 3 && ago === 1 ? "ProtectionStopped" : "Protected",
    PolicyName: n < 3 ? "Nightly" : "",
  })),
);
export const storage = [1, 2, 3].flatMap((ago) =>
  machines.slice(0, 5).map((machine, n) => ({
    TimeGenerated: now - ago * day + n * 1000,
    OperationName: "StorageAssociation",
    BackupItemUniqueId: machine.id,
    StorageUniqueId: `${machine.vault};storage`,
    StorageConsumedInMBs: 1000 * (n + 1) + 100 * (3 - ago),
  })),
);
export const alerts = Array.from({ length: 8 }, (_, n) => ({
  TimeGenerated: now - n * hour,
  OperationName: "Alert",
  AlertUniqueId: `alert-${n % 6}`,
  AlertStatus: n < 2 ? "Inactive" : "Active",
  AlertSeverity: n % 3 === 0 ? "Critical" : "Warning",
  AlertCode: n % 2 === 0 ? "BackupFailure" : "DeleteBackup",
  AlertOccurrenceDateTime: now - n * hour,
}));
export const legacy = jobs.slice(0, 40).map((job) => ({
  TimeGenerated: job.TimeGenerated,
  Category: "AzureBackupReport",
  ResourceProvider: "MICROSOFT.RECOVERYSERVICES",
  ResourceType: "VAULTS",
  Resource: job.VaultName.toUpperCase(),
  ResourceId: job.ResourceId.toUpperCase(),
  OperationName: "Job",
  SchemaVersion_s: "V2",
  JobOperation_s: job.JobOperation,
  JobOperationSubType_s: job.JobOperationSubType,
  JobStatus_s: job.JobStatus,
  JobFailureCode_s: job.JobFailureCode,
  JobStartDateTime_s: new Date(job.JobStartDateTime).toISOString(),
  JobDurationInSecs_s: String(job.JobDurationInSecs),
  DataTransferredInMB_s: String(job.DataTransferredInMB),
  JobUniqueId_g: job.JobUniqueId,
  BackupItemUniqueId_s: job.BackupItemUniqueId,
  BackupManagementType_s: job.BackupManagementType,
}));
export const legacyItems = machines.map((machine) => ({
  TimeGenerated: now - day,
  Category: "AzureBackupReport",
  OperationName: "BackupItem",
  SchemaVersion_s: "V2",
  BackupItemUniqueId_s: machine.id,
  BackupItemFriendlyName_s: machine.name,
  BackupItemType_s: machine.type,
  BackupManagementType_s: machine.management,
}));
export const activity = Array.from({ length: 12 }, (_, n) => ({
  TimeGenerated: now - n * 5 * hour,
  OperationNameValue:
    n % 3 === 0
      ? "MICROSOFT.RECOVERYSERVICES/VAULTS/BACKUPFABRICS/PROTECTIONCONTAINERS/PROTECTEDITEMS/BACKUP/ACTION"
      : "MICROSOFT.RESOURCES/DEPLOYMENTS/WRITE",
  ActivityStatusValue: n % 4 === 0 ? "Failure" : "Success",
  Caller: n % 5 === 0 ? "Microsoft.RecoveryServices" : `user${n % 2}@example.org`,
  ResourceGroup: n % 2 === 0 ? "OPS" : "APPS",
  ResourceProviderValue: "MICROSOFT.RECOVERYSERVICES",
  Properties: JSON.stringify({
    "Entity Name": `web${n % 3}`,
    "Job Id": `j${n}`,
    message: n % 4 === 0 ? "no agent" : "",
  }),
}));

export const machineOf = (id: string): Machine => machines.find((machine) => machine.id === id) as Machine;
export const settled = (): Job[] => latest(jobs, ({ JobUniqueId }) => JobUniqueId);
