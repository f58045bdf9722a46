// What jobs tell the event stream: `job.started`, `job.changed` (a task began or ended, a cancellation
// was asked for), `job.ended`. The data is the whole job as it is then, so records are made from one event.

import type { Writer } from "../vaults/vaults.ts";
import { appendEvent } from "../../events/append.ts";
import type { Job } from "./job.ts";

export type JobEventType = "job.started" | "job.changed" | "job.ended";

/** What a job's event carries; `checkpoint` and `input` stay inside. */
export type JobEventData = Omit<Job, "checkpoint" | "input" | "actor" | "correlationId">;

export function tellOfJob(trx: Writer, type: JobEventType, job: Job): void {
  const { checkpoint: _checkpoint, input: _input, actor, correlationId, ...data } = job;
  const subjects = [job.vaultKey, ...(job.itemKey === undefined ? [] : [job.itemKey])];
  appendEvent(trx, { type, subject: `${job.vaultKey}/backupjobs/${job.id}`, subjects, data, actor, correlationId });
}
