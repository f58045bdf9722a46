// Restore points and their disks on the wire.

import type { JsonObject, Resource } from "../../../arm/resources/resource.ts";
import { isoTime } from "../../../lib/clock.ts";
import type { CapturedConsistency, Remark } from "../../../backup/capture/index.ts";
import { diskRestorePointsOf, restorePointType, type DiskRestorePoint } from "./rows.ts";

export const consistencyModes = ["CrashConsistent", "FileSystemConsistent", "ApplicationConsistent"] as const;
export type ConsistencyMode = (typeof consistencyModes)[number];

export const modeOfLevel: Readonly<Record<CapturedConsistency["level"], ConsistencyMode>> = {
  application: "ApplicationConsistent",
  fileSystem: "FileSystemConsistent",
  crash: "CrashConsistent",
};
export const levelOfMode: Readonly<Record<ConsistencyMode, CapturedConsistency["level"]>> = {
  ApplicationConsistent: "application",
  FileSystemConsistent: "fileSystem",
  CrashConsistent: "crash",
};

export function renderRestorePoint(point: Resource, withInstanceView: boolean): Record<string, unknown> {
  const { remarks = [], ...properties } = point.properties as JsonObject & { remarks?: readonly Remark[] };
  return {
    id: point.id,
    name: point.name,
    type: restorePointType,
    properties: {
      ...properties,
      provisioningState: point.provisioningState,
      ...(withInstanceView ? { instanceView: instanceView(point, remarks) } : {}),
    },
  };
}

/** What was remarkable about it comes as statuses, so that clients show it. */
function instanceView(point: Resource, remarks: readonly Remark[]): JsonObject {
  const state = point.provisioningState;
  return {
    diskRestorePoints: diskRestorePointsOf(point).map(({ id }) => ({
      id,
      snapshotAccessState: "Available",
      replicationStatus: {
        status: { code: "ReplicationState/succeeded", level: "Info", displayStatus: "Succeeded" },
        completionPercent: 100,
      },
    })),
    statuses: [
      {
        code: `ProvisioningState/${state.toLowerCase()}`,
        level: state === "Failed" ? "Error" : "Info",
        displayStatus: state,
        time: isoTime(point.changedAt),
      },
      ...remarks.map(({ code, severity, message }) => ({
        code: `Remark/${code}`,
        level: severity === "warning" ? "Warning" : "Info",
        displayStatus: code,
        message,
      })),
    ],
  };
}

export function renderDiskRestorePoint({ id, row, osType, takenAt }: DiskRestorePoint): Record<string, unknown> {
  return {
    id,
    name: row.name,
    type: `${restorePointType}/diskRestorePoints`,
    properties: {
      timeCreated: isoTime(takenAt),
      sourceResourceId: row.sourceResourceId,
      sourceUniqueId: row.uniqueId,
      familyId: row.uniqueId,
      ...(osType === undefined ? {} : { osType }),
      hyperVGeneration: "V1",
      encryption: { type: "EncryptionAtRestWithPlatformKey" },
      networkAccessPolicy: "AllowAll",
      publicNetworkAccess: "Enabled",
      completionPercent: 100,
      replicationState: "Succeeded",
    },
  };
}
