// The changing part of a job while an attempt works on it, and how it reaches the row: one write at a
// time, each under the attempt's lease. What a handler says between two writes goes with the next.

import type { Database } from "../../db/database.ts";
import { assertLeaseHeld, type Lease } from "../../db/leases.ts";
import { monotonicMilliseconds } from "../../lib/clock.ts";
import type { Writer } from "../vaults/vaults.ts";
import { notStarted } from "./create-job.ts";
import type { JobContext } from "./handler.ts";
import type { JobError } from "./job-error.ts";
import { tellOfJob } from "./job-events.ts";
import { jobFromRow, type Job, type JobTask, type TaskStatus } from "./job.ts";

const mostSubSteps = 200;
const progressEveryMilliseconds = 1000;

export interface JobRecord {
  readonly context: JobContext;
  readonly warnings: readonly JobError[];
  /** The columns as they are now, for the transaction that ends the job; running tasks get `status`. */
  ended(status: TaskStatus): { tasks: string; properties: string; sub_steps: string; warnings: string };
  /** No write follows any more. */
  close(): Promise<void>;
}

export function jobRecord(
  database: Database,
  job: Job,
  lease: Lease,
  signal: AbortSignal,
  report: (error: unknown) => void,
): JobRecord {
  const now = (): number => database.clock.now();
  let tasks: readonly JobTask[] = job.tasks;
  const properties: Record<string, string> = { ...job.properties };
  const subSteps = [...job.subSteps];
  // A new attempt judges anew.
  const warnings: JobError[] = [];
  let percent = job.percent;
  let lastProgressAt = -Infinity;
  let writing: Promise<void> = Promise.resolve();

  const columns = (): ReturnType<JobRecord["ended"]> => ({
    tasks: JSON.stringify(tasks),
    properties: JSON.stringify(properties),
    sub_steps: JSON.stringify(subSteps),
    warnings: JSON.stringify(warnings),
  });

  const save = (more: { isNews?: boolean; set?: object } = {}): Promise<void> => {
    writing = writing
      .catch(() => {}) // its caller has heard of it
      .then(() =>
        database.transaction(async (trx) => {
          await assertLeaseHeld(trx, lease);
          const row = await trx
            .updateTable("jobs")
            .set({ ...columns(), percent, ...more.set })
            .where("id", "=", job.id)
            .returningAll()
            .executeTakeFirstOrThrow();
          if (more.isNews === true) tellOfJob(trx, "job.changed", jobFromRow(row));
        }),
      );
    return writing;
  };

  const changeTask = (taskId: string, change: Partial<JobTask>): void => {
    const known = tasks.some((task) => task.taskId === taskId) ? tasks : [...tasks, notStarted(taskId)];
    tasks = known.map((task) => (task.taskId === taskId ? { ...task, ...change } : task));
  };

  const context: JobContext = {
    job,
    signal,
    startTask: (taskId) => {
      const started = tasks.find((task) => task.taskId === taskId)?.startTime;
      changeTask(taskId, {
        status: "InProgress",
        startTime: started ?? now(),
        endTime: undefined,
        progressPercentage: 0,
      });
      return save({ isNews: true });
    },
    finishTask: async (taskId, status = "Completed") => {
      // A task ends once: a further attempt says again what the one before has said.
      if (tasks.some((task) => task.taskId === taskId && task.status === status)) return;
      changeTask(taskId, { status, endTime: now(), progressPercentage: 100 });
      await save({ isNews: true });
    },
    progress: (wanted) => {
      percent = Math.max(0, Math.min(100, Math.round(wanted)));
      const running = tasks.find(({ status }) => status === "InProgress");
      if (running !== undefined) changeTask(running.taskId, { progressPercentage: percent });
      if (monotonicMilliseconds() - lastProgressAt < progressEveryMilliseconds) return;
      lastProgressAt = monotonicMilliseconds();
      // A lost lease is heard of through the signal.
      save().catch((error: unknown) => (signal.aborted ? undefined : report(error)));
    },
    setProperty: (name, value) => {
      properties[name] = value;
    },
    subStep: (text) => {
      subSteps.push({ text, at: now() });
      if (subSteps.length > mostSubSteps) subSteps.shift();
    },
    warn: (warning) => {
      if (!warnings.some(({ code, message }) => code === warning.code && message === warning.message))
        warnings.push(warning);
    },
    setCancellable: (isCancellable) => save({ isNews: true, set: { is_cancellable: isCancellable ? 1 : 0 } }),
    checkpoint: (value) => save({ set: { checkpoint: JSON.stringify(value ?? null) } }),
    assertHeld: (trx: Writer) => assertLeaseHeld(trx, lease),
  };
  return {
    context,
    warnings,
    ended: (status) => {
      const at = now();
      tasks = tasks.map((task) => (task.status === "InProgress" ? { ...task, status, endTime: at } : task));
      return columns();
    },
    close: () => writing.catch(() => {}),
  };
}
