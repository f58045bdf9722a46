// From what our own parts say to what Azure's users know: one table for failures that end a backup, one
// for reasons that only lower what it claims.

import { HoldfastError, systemCode } from "../../lib/errors.ts";
import type { CapturedFacts, Remark } from "../capture/index.ts";
import { extensionCodes, type ExtensionCodeName } from "../../guest/vmsnapshot/codes.ts";
import { jobError, JobFailure, type JobError } from "../jobs/job-error.ts";
import { userErrors, type UserErrorCode } from "../jobs/user-errors.ts";

const failureCodes: Readonly<Record<string, UserErrorCode>> = {
  MachineUnknown: "UserErrorVmNotFoundV2",
  MachineVanished: "UserErrorVmNotFoundV2",
  MachineNotFound: "UserErrorVmNotFoundV2",
  HostUnknown: "UserErrorVmNotFoundV2",
  HostUnreachable: "HostUnreachable",
  MachineUnusable: "UserErrorVmProvisioningStateFailed",
  NothingToCapture: "UserErrorInvalidDiskLunList",
  DiskUnreadable: "DiskUnreadable",
  ImageRefused: "DiskUnreadable",
  ExportUnusable: "VMRestorePointInternalError",
  ImageInUse: "VmNotInDesirableState",
  SnapshotInProgress: "VmNotInDesirableState",
  MachineChangedMeanwhile: "VmNotInDesirableState",
  MachineMoved: "VmNotInDesirableState",
  SnapshotOverlayFull: "BackupStoreFull",
  StoreFull: "BackupStoreFull",
  StoreUnreachable: "BackupStoreUnavailable",
  StoreReadOnly: "BackupStoreUnavailable",
  StoreRefused: "BackupStoreUnavailable",
  StoreFailed: "BackupStoreUnavailable",
  AgentUnreachable: "UserErrorGuestAgentStatusUnavailable",
  AgentUnresponsive: "UserErrorGuestAgentStatusUnavailable",
  AgentMisbehaved: "GuestAgentSnapshotTaskStatusError",
  AgentCommandFailed: "UserErrorFsFreezeFailed",
  MonitorUnreachable: "VMRestorePointInternalError",
  MonitorTaken: "VMRestorePointInternalError",
  MonitorUnresponsive: "VMRestorePointInternalError",
  MonitorMisbehaved: "VMRestorePointInternalError",
  MonitorLost: "VMRestorePointInternalError",
  QemuRefused: "VMRestorePointInternalError",
  LibvirtUnreachable: "HostUnreachable",
  LibvirtRefused: "VMRestorePointInternalError",
  LibvirtMisbehaved: "VMRestorePointInternalError",
  StoreKeyUnavailable: "UserErrorCMKKeyUnavailable",
  WrongKey: "UserErrorCMKKeyUnavailable",
};

/** The failure as the job shows it; our own mistakes stay as they are. */
export function backupFailure(error: unknown): unknown {
  if (systemCode(error) === "ENOSPC")
    return new JobFailure("BackupStoreFull", "There is no room left on the device.", error);
  if (!(error instanceof HoldfastError)) return error;
  const code = failureCodes[error.code] ?? scriptCode(error.code);
  return code === undefined ? error : new JobFailure(code, error.message, error);
}

/** What the guest's scripts and their configuration did, by the name that users look up. */
function scriptCode(code: string): UserErrorCode | undefined {
  const title = Object.hasOwn(extensionCodes, code) ? extensionCodes[code as ExtensionCodeName].title : code;
  return Object.hasOwn(userErrors, title) ? (title as UserErrorCode) : undefined;
}

/** qemu-guest-agent names the mount that it could not open. */
const isUnopened = /failed to open/i;

function freezeCode(reason: string, explanation: string): UserErrorCode {
  const code = reasonCodes[reason];
  if (code !== undefined) return code;
  return isUnopened.test(explanation) ? "UserErrorUnableToOpenMount" : "UserErrorFsFreezeFailed";
}

/** Why a running machine's point is only crash-consistent. */
const reasonCodes: Readonly<Record<string, UserErrorCode>> = {
  FreezeUnavailable: "UserErrorGuestAgentStatusUnavailable",
  AgentAbsent: "UserErrorGuestAgentStatusUnavailable",
  AgentUnreachable: "UserErrorGuestAgentStatusUnavailable",
  AgentUnresponsive: "UserErrorGuestAgentStatusUnavailable",
  AgentMisbehaved: "GuestAgentSnapshotTaskStatusError",
  // It was reached, and then did not say what came of the freeze or of the thaw.
  FreezeUnanswered: "GuestAgentSnapshotTaskStatusError",
  ThawFailed: "GuestAgentSnapshotTaskStatusError",
};

/** A machine that does not run has nothing to freeze: nobody is to be warned. */
const expectedReasons = new Set(["MachineNotRunning"]);

/** What makes the job CompletedWithWarnings. */
export function backupWarnings(facts: Pick<CapturedFacts, "wanted" | "consistency" | "remarks">): JobError[] {
  const { reason, explanation, level } = facts.consistency;
  const isLowered = facts.wanted !== "crash" && level === "crash" && reason !== undefined;
  const lowered =
    isLowered && !expectedReasons.has(reason)
      ? [jobError(freezeCode(reason, explanation ?? ""), explanation ?? reason)]
      : [];
  return [...lowered, ...facts.remarks.filter(({ severity }) => severity === "warning").map(remarkWarning)];
}

export function remarkWarning({ code, message }: Remark): JobError {
  const known = scriptCode(code);
  if (known !== undefined) return jobError(known, message);
  return {
    code,
    title: "The backup is complete, with something to look at",
    message,
    recommendations: ["Look at what the message says; the next backup tries again."],
  };
}
