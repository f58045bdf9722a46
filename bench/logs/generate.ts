// Records of jobs as a large installation writes them: thirty days, a thousand machines in fifty vaults.

import { seededRandom } from "../../src/lib/random.ts";

export const benchEnd = Date.UTC(2026, 0, 31);
const days = 30;
const machines = 1000;
const vaults = 50;

const failures = [
  "UserErrorGuestAgentStatusUnavailable",
  "GuestAgentSnapshotTaskStatusError",
  "UserErrorFsFreezeFailed",
  "HostUnreachable",
];

export function* jobRecords(count: number, seed = 1): Generator<Record<string, unknown>> {
  const random = seededRandom(seed);
  const pick = (bound: number): number => Math.floor(random() * bound);
  for (let number = 0; number < count; number += 1) {
    const machine = pick(machines);
    const vault = machine % vaults;
    const hasFailed = random() < 0.03;
    const at = benchEnd - days * 86_400_000 + Math.floor((number / count) * days * 86_400_000);
    yield {
      TimeGenerated: at,
      Category: "AddonAzureBackupJobs",
      OperationName: "Job",
      ResourceId: `/subscriptions/s/resourceGroups/g/providers/Microsoft.RecoveryServices/vaults/vault${vault}`,
      _ResourceId: `/subscriptions/s/resourcegroups/g/providers/microsoft.recoveryservices/vaults/vault${vault}`,
      SchemaVersion: "V2",
      BackupManagementType: "IaaSVM",
      VaultUniqueId: `local;vault${vault}`,
      VaultName: `vault${vault}`,
      JobUniqueId: `job-${seed}-${number}`,
      BackupItemUniqueId: `local;vault${vault};vm;iaasvmcontainerv2;apps;machine${machine}`,
      BackupItemFriendlyName: `machine${machine}`,
      JobOperation: random() < 0.97 ? "Backup" : "Restore",
      JobStatus: hasFailed ? "Failed" : "Completed",
      JobFailureCode: hasFailed ? (failures[pick(failures.length)] ?? "") : "Success",
      JobStartDateTime: at - pick(3_600_000),
      JobDurationInSecs: 30 + pick(3000),
      DataTransferredInMB: pick(100_000) / 10,
      AdHocOrScheduledJob: random() < 0.95 ? "Scheduled" : "Adhoc",
    };
  }
}
