// A recovery point on the wire. A point that cannot be restored has no valid tier: no client takes it for
// a good one.

import type { PointFacts, RecoveryPoint } from "../../../backup/points/point.ts";
import type { ProtectedItem } from "../../../backup/protection/item.ts";
import { isoTime } from "../../../lib/clock.ts";
import { itemType } from "../protection/item-paths.ts";

export function renderPoint(item: ProtectedItem, point: RecoveryPoint, now: number, keyAndSecret?: object): object {
  const { facts, problems } = point;
  return {
    id: `${item.id}/recoveryPoints/${point.id}`,
    name: point.id,
    type: `${itemType}/recoveryPoints`,
    properties: {
      objectType: "IaasVMRecoveryPoint",
      recoveryPointType: point.consistency,
      recoveryPointTime: isoTime(point.takenAt),
      recoveryPointAdditionalInfo: additionalInfo(point),
      sourceVMStorageType: "NormalStorage",
      isSourceVMEncrypted: point.keys !== undefined,
      keyAndSecret: keyAndSecret ?? null,
      isInstantIlrSessionActive: (point.recoverySessionUntil ?? 0) > now,
      recoveryPointTierDetails: tiers(point),
      isManagedVirtualMachine: true,
      virtualMachineSize: facts.vmSize,
      originalStorageAccountOption: false,
      osType: facts.osType,
      recoveryPointDiskConfiguration: {
        numberOfDisksIncludedInBackup: facts.disks.length,
        numberOfDisksAttachedToVm: facts.disks.length + facts.excluded.length,
        includedDiskList: facts.disks.map(lunAndName),
        excludedDiskList: facts.excluded.map(lunAndName),
      },
      zones: [],
      recoveryPointMoveReadinessInfo: {
        ArchivedRP: { isReadyForMove: false, additionalInfo: "This service has no archive tier." },
      },
      recoveryPointProperties: {
        expiryTime: point.keepUntil === undefined ? null : isoTime(point.keepUntil),
        ruleName: point.rule,
        isSoftDeleted: point.isSoftDeleted,
      },
      securityType: null,
      isPrivateAccessEnabledOnAnyDisk: false,
      holdfast: {
        verifiedTime: point.verifiedAt === undefined ? null : isoTime(point.verifiedAt),
        isBroken: problems !== undefined,
        problems: problems ?? [],
        cutMilliseconds: facts.cutMilliseconds,
        frozenMilliseconds: facts.frozenMilliseconds ?? null,
        remarks: facts.remarks,
        jobId: point.jobId,
      },
    },
  };
}

function tiers(point: RecoveryPoint): object[] {
  const status = point.problems === undefined ? "Valid" : "Invalid";
  return [
    ...(point.isInSnapshotTier ? [{ type: "InstantRP", status, extendedInfo: {} }] : []),
    ...(point.isInVaultTier ? [{ type: "HardenedRP", status, extendedInfo: {} }] : []),
  ];
}

function additionalInfo({ problems, facts }: RecoveryPoint): string {
  if (problems !== undefined) return `Broken: ${problems[0] ?? "it cannot be restored"}`;
  return facts.explanation ?? "";
}

function lunAndName({ lun, name }: PointFacts["disks"][number]): object {
  return { lun, name };
}
