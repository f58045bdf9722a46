// The extension's status in Azure's own shape, once for the blob and once for the file in the guest.
// Upstream leaves `snapshotConsistency` at 0 for most runs; here it says what was reached.

import type { FinishedApplications, PreparedApplications } from "../guest/vmsnapshot/applications.ts";
import { extensionCodes } from "../guest/vmsnapshot/codes.ts";
import { extensionName } from "../guest/vmsnapshot/package.ts";
import type { ReachedConsistency } from "../hosts/host.ts";
import { isoTime } from "../lib/clock.ts";
import { HoldfastError } from "../lib/errors.ts";

export interface TaskReport {
  readonly taskId: string;
  readonly startTicks: bigint;
  readonly startedAt: number;
  readonly endedAt: number;
  /** The version of the extension in the guest. */
  readonly version: string;
  readonly level: "application" | "fileSystem" | "crash" | "none";
  /** Azure's number: 0 application, 1 file system or crash, 2 no snapshot, else the first failure's. */
  readonly code: number;
  readonly message: string;
  readonly telemetry: Readonly<Record<string, string>>;
}

const applicationReached = 0;
const snapshotTaken = 1;
const failed = 2;
const consistencyNumbers = { none: 0, fileSystem: 1, application: 2, crash: 3 } as const;
const health = { green: 0, yellow: 128, red: 256 } as const;

export interface FinishedTask {
  readonly applications: PreparedApplications;
  readonly finished: FinishedApplications;
  readonly outcome:
    | { readonly taken: true; readonly consistency: ReachedConsistency }
    | { readonly taken: false; readonly error: unknown };
  readonly startedAt: number;
  readonly endedAt: number;
}

export function describeTask({ applications, finished, outcome, startedAt, endedAt }: FinishedTask): TaskReport {
  const { task, extension, scripts, preScript } = applications;
  const failure = applications.failure ?? finished.failure;
  const level = levelOf(applications, finished, outcome);
  const frozen = outcome.taken && outcome.consistency.level === "fileSystem" ? outcome.consistency : undefined;
  const telemetry: Record<string, string> = {
    extensionVersion: extension.version,
    isPrePostEnabled: String(scripts !== undefined),
    consistencyType: level,
    ...(scripts?.appName ? { appName: scripts.appName } : {}),
    ...(frozen === undefined ? {} : { FreezeTime: String(frozen.frozenMilliseconds / 1000) }),
    ...(preScript === undefined ? {} : { PreScriptTime: String(preScript.seconds) }),
    ...(finished.postScript === undefined ? {} : { PostScriptTime: String(finished.postScript.seconds) }),
    snapshotCreator: "backupHostService",
  };
  const base = { taskId: task.taskId, startTicks: task.startTicks, startedAt, endedAt, version: extension.version };
  const code = failure === undefined ? codeOf(level) : extensionCodes[failure.code].number;
  const message =
    failure === undefined
      ? outcome.taken
        ? `The snapshot is ${wordsOf[level]} consistent.`
        : reasonOf(outcome.error)
      : `${failure.message} ${extensionCodes[failure.code].remedy}`;
  return { ...base, level, code, message, telemetry: { ...telemetry, extErrorCode: String(code) } };
}

const wordsOf = { application: "application", fileSystem: "file system", crash: "crash", none: "not" } as const;

function levelOf(
  applications: PreparedApplications,
  { stayedAtRest }: FinishedApplications,
  outcome: FinishedTask["outcome"],
): TaskReport["level"] {
  if (!outcome.taken) return "none";
  const isStill = outcome.consistency.level === "fileSystem" || !applications.freezes;
  return stayedAtRest && isStill ? "application" : outcome.consistency.level;
}

function codeOf(level: TaskReport["level"]): number {
  if (level === "none") return failed;
  return level === "application" ? applicationReached : snapshotTaken;
}

function reasonOf(error: unknown): string {
  return error instanceof HoldfastError ? error.sentence : "No snapshot was taken.";
}

/** As written to the status blob. */
export function statusBlob(report: TaskReport): object[] {
  const { taskId, startTicks, endedAt, level, code, message, telemetry } = report;
  return [
    {
      version: "1.0",
      timestampUTC: `/Date(${endedAt})/`,
      status: {
        ...statusBody(report, level === "none" ? "error" : "success"),
        substatus: [],
        storageDetails: {
          partitionCount: 0,
          totalUsedSizeInBytes: 0,
          isStoragespacePresent: false,
          isSizeComputationFailed: true,
        },
        telemetryData: Object.entries(telemetry).map(([Key, Value]) => ({ Value, Key })),
        uniqueMachineId: null,
        snapshotInfo: [],
        vmHealthInfo: {
          vmHealthState: code <= failed ? health.green : health.yellow,
          vmHealthStatusCode: code,
        },
        taskId,
        commandStartTimeUTCTicks: String(startTicks),
        formattedMessage: formatted(
          JSON.stringify({
            messageStr: message,
            snapshotConsistency: consistencyNumbers[level],
            jobMessage: "",
            isSizeComputationFailed: true,
          }),
        ),
      },
    },
  ];
}

/** As kept in the guest: the blob is its only substatus, and the extension itself has done its work. */
export function statusFile(report: TaskReport): object[] {
  return [
    {
      version: "1.0",
      timestampUTC: isoTime(report.endedAt),
      status: {
        ...statusBody(report, "success"),
        formattedMessage: formatted(report.message),
        substatus: [{ code: "0", name: JSON.stringify(statusBlob(report)), status: "success", formattedMessage: null }],
        telemetryData: null,
        snapshotInfo: null,
        vmHealthInfo: null,
      },
    },
  ];
}

function statusBody({ taskId, startTicks, code }: TaskReport, status: "success" | "error"): object {
  return {
    name: extensionName,
    operation: "Enable",
    status,
    code: String(code),
    taskId,
    commandStartTimeUTCTicks: String(startTicks),
  };
}

function formatted(message: string): object {
  return { lang: "en-US", message };
}
