// What carries out the jobs of one operation. To add one: write a handler and register it with the
// engine before it starts.
//
//   engine.register("Restore", {
//     run: async ({ job, startTask, finishTask, progress, assertHeld, signal }) => {
//       await startTask("Transfer data from vault");
//       … progress(40) … signal.throwIfAborted() …
//       await finishTask("Transfer data from vault");
//       return { commit: async (trx) => { … } };
//     },
//   });
//
// What a handler can rely on, and what it has to keep to:
// - It runs under a lease. `signal` fires when the lease is lost, the service ends, or the job is
//   cancelled; then it stops and throws (`signal.throwIfAborted()`). The engine knows which it was.
// - It may be run again: after a crash, after a lost lease, after a failure that is transient. So every
//   effect outside is found again by the job's id or by `checkpoint`; `job.attempt` counts from 1.
// - Every transaction of its own calls `assertHeld(trx)` first. What has to be true together with the end
//   of the job goes into `commit` of its outcome.
// - It fails by throwing: a `JobFailure` (a code of the table), or any HoldfastError. Warnings make the
//   end CompletedWithWarnings.

import type { Writer } from "../vaults/vaults.ts";
import type { Job, JobOperation, JobStatus } from "./job.ts";
import type { JobError } from "./job-error.ts";

export interface JobHandler {
  run(context: JobContext): Promise<JobOutcome | void>;
  /** Runs in the transaction that ends the job, however it ends: to note it at the item. */
  settle?(trx: Writer, job: Job, end: JobEnd): Promise<void>;
}

export interface JobOutcome {
  /** Runs in the transaction that completes the job, before `settle`. */
  readonly commit?: (trx: Writer) => Promise<void>;
}

export interface JobEnd {
  readonly status: Exclude<JobStatus, "InProgress" | "Cancelling">;
  readonly errors: readonly JobError[];
  readonly warnings: readonly JobError[];
}

export interface JobContext {
  /** As it was when this attempt began. */
  readonly job: Job;
  readonly signal: AbortSignal;
  /** Begins a task; one that the job does not have yet is added. */
  startTask(taskId: string): Promise<void>;
  /** Ends it; `Failed` and `Skipped` are for tasks without which the job goes on. */
  finishTask(taskId: string, status?: "Completed" | "CompletedWithWarnings" | "Failed"): Promise<void>;
  /** Of the task that runs, 0 to 100. Kept at most once a second: call it as often as you like. */
  progress(percent: number): void;
  /** Shown in the job's property bag. */
  setProperty(name: string, value: string): void;
  /** A line of the job's story, with its time. At most 200 are kept. */
  subStep(text: string): void;
  /** The job will end CompletedWithWarnings. */
  warn(warning: JobError): void;
  /** Whether it may be cancelled from now on; a cancellation that came before holds. */
  setCancellable(isCancellable: boolean): Promise<void>;
  /** Durable when it returns: what the next attempt finds in `job.checkpoint`. Plain JSON, without secrets. */
  checkpoint(value: unknown): Promise<void>;
  /** Makes `trx` fail unless this attempt still holds the job. */
  assertHeld(trx: Writer): Promise<void>;
}

export type RegisterJobHandler = (operation: JobOperation, handler: JobHandler) => void;
