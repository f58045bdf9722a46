// A job as the domain knows it: one operation on an item or a vault, from its request to its end. Its
// row is the truth; what works on it holds a lease and writes through it.

import type { JobRow } from "../../db/schema/backup.ts";
import type { JobError } from "./job-error.ts";

export const jobOperations = [
  "Register",
  "UnRegister",
  "ConfigureBackup",
  "Backup",
  "Restore",
  "DisableBackup",
  "DeleteBackupData",
  "CrossRegionRestore",
  "Undelete",
  "UpdateCustomerManagedKey",
  /** Beyond Azure's. */
  "Verify",
] as const;
export type JobOperation = (typeof jobOperations)[number];

export const jobStatuses = [
  "InProgress",
  "Cancelling",
  "Cancelled",
  "Completed",
  "CompletedWithWarnings",
  "Failed",
] as const;
export type JobStatus = (typeof jobStatuses)[number];

/** Somebody works on it, or will. */
export const openStatuses = ["InProgress", "Cancelling"] as const satisfies readonly JobStatus[];

export type TaskStatus = "NotStarted" | JobStatus;

export interface JobTask {
  /** As Azure names it: `Take Snapshot`. */
  readonly taskId: string;
  readonly status: TaskStatus;
  readonly startTime: number | undefined;
  readonly endTime: number | undefined;
  readonly progressPercentage: number;
}

export interface JobSubStep {
  readonly text: string;
  readonly at: number;
}

export interface Job<Input = unknown> {
  readonly id: string;
  readonly vaultKey: string;
  readonly itemKey: string | undefined;
  readonly itemName: string;
  readonly containerName: string;
  readonly hostId: string | undefined;
  readonly operation: JobOperation;
  readonly status: JobStatus;
  readonly startedAt: number;
  readonly endedAt: number | undefined;
  readonly isUserTriggered: boolean;
  readonly isCancellable: boolean;
  readonly correlationId: string;
  readonly actor: string;
  /** How often it was taken up, this time included. */
  readonly attempt: number;
  readonly input: Input;
  /** What the handler kept for its next attempt. */
  readonly checkpoint: unknown;
  readonly tasks: readonly JobTask[];
  readonly properties: Readonly<Record<string, string>>;
  readonly subSteps: readonly JobSubStep[];
  readonly warnings: readonly JobError[];
  readonly errors: readonly JobError[];
  readonly percent: number;
}

export function jobFromRow(row: JobRow): Job {
  return {
    id: row.id,
    vaultKey: row.vault_key,
    itemKey: row.item_key ?? undefined,
    itemName: row.item_name,
    containerName: row.container_name,
    hostId: row.host_id ?? undefined,
    operation: row.operation as JobOperation,
    status: row.status as JobStatus,
    startedAt: row.started_at,
    endedAt: row.ended_at ?? undefined,
    isUserTriggered: row.is_user_triggered === 1,
    isCancellable: row.is_cancellable === 1,
    correlationId: row.correlation_id,
    actor: row.actor,
    attempt: row.attempt,
    input: JSON.parse(row.input) as unknown,
    checkpoint: row.checkpoint === null ? undefined : (JSON.parse(row.checkpoint) as unknown),
    tasks: JSON.parse(row.tasks) as JobTask[],
    properties: JSON.parse(row.properties) as Record<string, string>,
    subSteps: JSON.parse(row.sub_steps) as JobSubStep[],
    warnings: JSON.parse(row.warnings) as JobError[],
    errors: JSON.parse(row.errors) as JobError[],
    percent: row.percent,
  };
}
