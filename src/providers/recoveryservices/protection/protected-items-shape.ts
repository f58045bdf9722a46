// A protected item on the wire.

import type { DiskChoice } from "../../../backup/capture/index.ts";
import type { JobError } from "../../../backup/jobs/job-error.ts";
import type { ProtectedItem } from "../../../backup/protection/item.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import { isoTime } from "../../../lib/clock.ts";
import { itemType } from "./item-paths.ts";

/** Two days before the purge Azure calls it upcoming. */
const upcomingMilliseconds = 2 * 86_400_000;

/** `policyNames`: as they are written, by their lower-case names. */
export function renderItem(
  vault: Vault,
  item: ProtectedItem,
  policyNames: ReadonlyMap<string, string>,
  now: number,
): object {
  const policyName = item.policyKey === undefined ? "" : (policyNames.get(item.policyKey) ?? item.policyKey);
  const { deletion, points, lastError } = item;
  const isFailing = item.lastBackupStatus === "Failed";
  return {
    id: item.id,
    name: item.id.split("/").at(-1),
    type: itemType,
    properties: {
      protectedItemType: "Microsoft.Compute/virtualMachines",
      backupManagementType: "AzureIaasVM",
      workloadType: "VM",
      containerName: item.containerName,
      friendlyName: item.friendlyName,
      virtualMachineId: item.machineId,
      sourceResourceId: item.machineId,
      vaultId: vault.id,
      policyId: policyName === "" ? "" : `${vault.id}/backupPolicies/${policyName}`,
      policyName,
      protectionStatus: isFailing ? "Unhealthy" : "Healthy",
      protectionState: item.state,
      healthStatus: isFailing ? "ActionRequired" : "Passed",
      healthDetails: lastError === undefined ? [] : [healthDetail(lastError)],
      kpisHealths: {},
      lastBackupStatus: item.lastBackupStatus,
      lastBackupTime: timeOf(item.lastBackupAt),
      lastRecoveryPoint: timeOf(points.newest),
      protectedItemDataId: item.itemId,
      extendedInfo: {
        oldestRecoveryPoint: timeOf(points.oldest),
        oldestRecoveryPointInVault: timeOf(points.oldest),
        oldestRecoveryPointInArchive: null,
        newestRecoveryPointInArchive: null,
        recoveryPointCount: points.count,
        policyInconsistent: false,
      },
      extendedProperties: { diskExclusionProperties: disksOf(item.disks), linuxVmApplicationName: null },
      // Azure does not say "no" here: what is not deleted has no value.
      isScheduledForDeferredDelete: deletion === undefined ? null : true,
      deferredDeleteTimeInUTC: timeOf(deletion?.at),
      deferredDeleteTimeRemaining: deletion === undefined ? null : remaining(deletion.purgeAt - now),
      isDeferredDeleteScheduleUpcoming: deletion !== undefined && deletion.purgeAt - now <= upcomingMilliseconds,
      isRehydrate: false,
      isArchiveEnabled: false,
      createMode: null,
      backupSetName: null,
      softDeleteRetentionPeriod: deletion?.days ?? vault.settings.softDelete.retentionDays,
      softDeleteRetentionPeriodInDays: deletion?.days ?? vault.settings.softDelete.retentionDays,
      resourceGuardOperationRequests: null,
    },
  };
}

function healthDetail({ code, title, message, recommendations }: JobError): object {
  return { title, message: `${code}: ${message}`, recommendations };
}

function disksOf(disks: DiskChoice | undefined): object | null {
  if (disks === undefined || disks.kind === "all") return null;
  return { diskLunList: disks.luns, isInclusionList: disks.kind === "include" };
}

function timeOf(at: number | undefined): string | null {
  return at === undefined ? null : isoTime(at);
}

/** .NET's form, as clients show it: `13.23:59:59`. */
function remaining(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (value: number): string => String(value).padStart(2, "0");
  const days = Math.floor(seconds / 86_400);
  const time = `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return days === 0 ? time : `${days}.${time}`;
}
