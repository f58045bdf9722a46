// A job begins as a row, with its event, in the transaction of whoever wants it done.

import { scopeOf } from "../../db/transaction.ts";
import type { JobRow } from "../../db/schema/backup.ts";
import { newGuid } from "../../lib/random.ts";
import type { Doer } from "../vaults/policies.ts";
import type { Vault, Writer } from "../vaults/vaults.ts";
import { jobErrors } from "./errors.ts";
import { jobFromRow, openStatuses, type Job, type JobOperation, type JobTask } from "./job.ts";
import { tellOfJob } from "./job-events.ts";

/** Rings when there may be work to take up, or to stop. */
export const jobsChannel = "jobs";

export interface JobDraft {
  readonly vault: Pick<Vault, "key">;
  readonly operation: JobOperation;
  /** Absent for jobs of the vault itself. */
  readonly item?: { readonly key: string; readonly name: string; readonly container: string };
  /** Two jobs with the same key never run at once: the lower-case id of the machine or vault they work on. */
  readonly exclusiveKey?: string;
  /** The host that it loads: what bounds how many run there at once. */
  readonly hostId?: string;
  /** Tasks that are known from the start, as Azure shows them. */
  readonly tasks?: readonly string[];
  readonly properties?: Readonly<Record<string, string>>;
  /** Plain JSON without secrets: what the handler works from. */
  readonly input?: object;
  readonly isUserTriggered: boolean;
  readonly isCancellable?: boolean;
  readonly by: Doer;
}

/** Refuses (UserErrorBackupOperationInProgress) while a job with the same exclusive key is open. */
export async function createJob(trx: Writer, draft: JobDraft): Promise<Job> {
  if (draft.exclusiveKey !== undefined) await refuseWhileBusy(trx, draft.exclusiveKey, draft.operation);
  const now = scopeOf(trx).clock.now();
  const tasks = (draft.tasks ?? []).map(notStarted);
  const row: JobRow = {
    id: newGuid(),
    vault_key: draft.vault.key,
    item_key: draft.item?.key ?? null,
    item_name: draft.item?.name ?? "",
    container_name: draft.item?.container ?? "",
    exclusive_key: draft.exclusiveKey ?? null,
    host_id: draft.hostId ?? null,
    operation: draft.operation,
    status: "InProgress",
    started_at: now,
    ended_at: null,
    is_user_triggered: draft.isUserTriggered ? 1 : 0,
    is_cancellable: draft.isCancellable === true ? 1 : 0,
    correlation_id: draft.by.correlationId,
    actor: draft.by.actor,
    run_after: now,
    attempt: 0,
    input: JSON.stringify(draft.input ?? {}),
    checkpoint: null,
    tasks: JSON.stringify(tasks),
    properties: JSON.stringify(draft.properties ?? {}),
    sub_steps: "[]",
    warnings: "[]",
    errors: "[]",
    percent: 0,
  };
  await trx.insertInto("jobs").values(row).execute();
  const job = jobFromRow(row);
  tellOfJob(trx, "job.started", job);
  scopeOf(trx).tell(jobsChannel);
  return job;
}

export function notStarted(taskId: string): JobTask {
  return { taskId, status: "NotStarted", startTime: undefined, endTime: undefined, progressPercentage: 0 };
}

async function refuseWhileBusy(trx: Writer, exclusiveKey: string, operation: JobOperation): Promise<void> {
  const busy = await trx
    .selectFrom("jobs")
    .select(["id", "operation"])
    .where("status", "in", openStatuses)
    .where("exclusive_key", "=", exclusiveKey)
    .executeTakeFirst();
  if (busy === undefined) return;
  throw jobErrors.UserErrorBackupOperationInProgress(
    `${operation} cannot start: the job ${busy.id} (${busy.operation}) works on the same.`,
    { target: exclusiveKey, facts: { jobId: busy.id } },
  );
}
