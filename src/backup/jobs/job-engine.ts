// Carries out jobs: takes up open rows under a lease each, within the limits, and ends them. A process
// that dies leaves its leases to run out; whoever looks next goes on with the job as a further attempt.
//
// Always true: a job ends once, in a transaction that holds its lease, together with its event and with
// what its end means for its item.

import { sql } from "kysely";
import type { Database } from "../../db/database.ts";
import { assertLeaseHeld, withLease, type Lease } from "../../db/leases.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { faultPoint } from "../../lib/faults.ts";
import { lookWhenWoken } from "../../lib/look-again.ts";
import { randomBelow } from "../../lib/random.ts";
import { chooseJobs, type JobLimits, type OpenJob } from "./choose-jobs.ts";
import { jobsChannel } from "./create-job.ts";
import type { JobEnd, JobHandler, JobOutcome, RegisterJobHandler } from "./handler.ts";
import { errorOf, isTransient, jobError } from "./job-error.ts";
import { tellOfJob } from "./job-events.ts";
import { jobRecord, type JobRecord } from "./job-record.ts";
import { jobFromRow, openStatuses, type Job } from "./job.ts";

export interface JobEngine extends AsyncDisposable {
  register: RegisterJobHandler;
  /** Begins to take jobs up. */
  start(): void;
}

export interface JobEngineOptions {
  readonly database: Database;
  /** The node's name in leases. */
  readonly holder: string;
  readonly limits: JobLimits;
  readonly report: (error: unknown, job: Job | undefined) => void;
  readonly leaseMilliseconds?: number;
  readonly lookAgainMilliseconds?: number;
  readonly retry?: RetryTerms;
}

export interface RetryTerms {
  /** Failures that are transient are tried again so often in all. */
  readonly attempts: number;
  /** A job that was interrupted (crash, lost lease) so often is given up. */
  readonly interruptions: number;
  readonly firstDelayMilliseconds: number;
}

const defaultRetry: RetryTerms = { attempts: 3, interruptions: 10, firstDelayMilliseconds: 10_000 };
const cancelled = new Error("the job was cancelled");

interface RunningJob {
  readonly done: Promise<void>;
  readonly cancel: AbortController;
}

export function createJobEngine(options: JobEngineOptions): JobEngine {
  const { database, limits, holder } = options;
  const leaseMilliseconds = options.leaseMilliseconds ?? 15_000;
  const retry = options.retry ?? defaultRetry;
  const handlers = new Map<string, JobHandler>();
  const running = new Map<string, RunningJob>();
  const ending = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let unlisten: (() => void) | undefined;

  const look = async (): Promise<void> => {
    const now = database.clock.now();
    const rows = await database.kysely
      .selectFrom("jobs")
      .leftJoin("leases", (join) => join.on("leases.name", "=", sql`'job/' || jobs.id`))
      .select(["jobs.id", "vault_key", "host_id", "jobs.started_at", "run_after", "status", "operation", "expires_at"])
      .where("status", "in", openStatuses)
      .execute();
    for (const { id, status } of rows) if (status === "Cancelling") running.get(id)?.cancel.abort(cancelled);
    const open = rows
      .filter(({ operation }) => handlers.has(operation))
      .map((row): OpenJob & { readonly isDue: boolean } => ({
        id: row.id,
        vaultKey: row.vault_key,
        hostId: row.host_id ?? undefined,
        startedAt: row.started_at,
        isRunning: running.has(row.id) || (row.expires_at ?? 0) > now,
        isDue: row.run_after <= now || row.status === "Cancelling",
      }))
      .filter(({ isRunning, isDue }) => isRunning || isDue);
    for (const { id } of chooseJobs(open, limits, limits.server - running.size)) {
      if (ending.signal.aborted) return;
      takeUp(id);
    }
  };

  const takeUp = (id: string): void => {
    const cancel = new AbortController();
    const done = runOne(id, cancel.signal)
      .catch((error: unknown) => {
        // Handed back, because the service ends or its lease ran out: somebody goes on with the job.
        if (!ending.signal.aborted && !isErrorCode(error, "LeaseLost")) options.report(error, undefined);
      })
      .finally(() => {
        running.delete(id);
        watcher.wake();
      });
    running.set(id, { done, cancel });
  };

  const watcher = lookWhenWoken(look, (error) => options.report(error, undefined), ending.signal);

  const runOne = async (id: string, cancelSignal: AbortSignal): Promise<void> => {
    const terms = { name: `job/${id}`, milliseconds: leaseMilliseconds, holder };
    await withLease(
      database,
      terms,
      (lease, leaseSignal) => attempt(id, lease, leaseSignal, cancelSignal),
      ending.signal,
    );
  };

  const attempt = async (id: string, lease: Lease, held: AbortSignal, cancelSignal: AbortSignal): Promise<void> => {
    const job = await begin(id, lease);
    if (job === undefined) return;
    const handler = handlers.get(job.operation);
    if (handler === undefined) throw new Error(`nobody carries out ${job.operation}`);
    const signal = AbortSignal.any([held, cancelSignal]);
    const record = jobRecord(database, job, lease, signal, (error) => options.report(error, job));
    const finish = async (end: JobEnd, outcome?: JobOutcome): Promise<void> => {
      await record.close();
      await endJob(job.id, lease, record, end, handler, outcome);
    };
    if (job.status === "Cancelling") return finish(ended("Cancelled", record));
    if (job.attempt > retry.interruptions) {
      const why = `It was taken up ${job.attempt - 1} times and never came to an end.`;
      return finish(ended("Failed", record, [jobError("JobGivenUp", why)]));
    }
    faultPoint("job.taken-up");
    let outcome: JobOutcome | void;
    try {
      outcome = await handler.run(record.context);
    } catch (error) {
      // Handed back: somebody goes on with it.
      held.throwIfAborted();
      if (isErrorCode(error, "LeaseLost")) throw error;
      if (cancelSignal.aborted) return finish(ended("Cancelled", record));
      if (isTransient(error) && job.attempt < retry.attempts) {
        await record.close();
        return tryAgain(job, lease, record, error);
      }
      const failure = errorOf(error);
      if (failure.code === "BackUpOperationFailed" || failure.code === "JobGivenUp") options.report(error, job);
      return finish(ended("Failed", record, [failure]));
    }
    faultPoint("job.before-end");
    await finish(
      ended(record.warnings.length > 0 ? "CompletedWithWarnings" : "Completed", record),
      outcome ?? undefined,
    );
  };

  /** Counts the attempt; undefined when the job has ended meanwhile. */
  const begin = (id: string, lease: Lease): Promise<Job | undefined> =>
    database.transaction(async (trx) => {
      await assertLeaseHeld(trx, lease);
      const row = await trx
        .updateTable("jobs")
        .set(({ eb }) => ({ attempt: eb("attempt", "+", 1) }))
        .where("id", "=", id)
        .where("status", "in", openStatuses)
        .returningAll()
        .executeTakeFirst();
      return row && jobFromRow(row);
    });

  const tryAgain = (job: Job, lease: Lease, record: JobRecord, error: unknown): Promise<void> => {
    const { code, message } = errorOf(error);
    const delay = retry.firstDelayMilliseconds * 2 ** (job.attempt - 1) + randomBelow(1000);
    record.context.subStep(`Attempt ${job.attempt} failed (${code}: ${message}); it is tried again.`);
    return database.transaction(async (trx) => {
      await assertLeaseHeld(trx, lease);
      await trx
        .updateTable("jobs")
        .set({ ...record.ended("NotStarted"), run_after: database.clock.now() + delay })
        .where("id", "=", job.id)
        .execute();
    });
  };

  const endJob = async (
    id: string,
    lease: Lease,
    record: JobRecord,
    end: JobEnd,
    handler: JobHandler,
    outcome: JobOutcome | undefined,
  ): Promise<void> => {
    await database.transaction(async (trx) => {
      await assertLeaseHeld(trx, lease);
      await outcome?.commit?.(trx);
      const row = await trx
        .updateTable("jobs")
        .set({
          ...record.ended(end.status),
          status: end.status,
          errors: JSON.stringify(end.errors),
          ended_at: database.clock.now(),
          is_cancellable: 0,
          ...(end.status.startsWith("Completed") ? { percent: 100 } : {}),
        })
        .where("id", "=", id)
        .returningAll()
        .executeTakeFirstOrThrow();
      const job = jobFromRow(row);
      await handler.settle?.(trx, job, end);
      tellOfJob(trx, "job.ended", job);
    });
    faultPoint("job.after-end");
  };

  return {
    register: (operation, handler) => {
      if (handlers.has(operation)) throw new Error(`two handlers for ${operation}`);
      handlers.set(operation, handler);
    },
    start: () => {
      unlisten ??= database.notices.listen(jobsChannel, watcher.wake);
      timer ??= setInterval(watcher.wake, options.lookAgainMilliseconds ?? 1000);
      timer.unref();
      watcher.wake();
    },
    [Symbol.asyncDispose]: async () => {
      ending.abort(new Error("the service is ending"));
      unlisten?.();
      clearInterval(timer);
      await watcher.settled();
      await Promise.allSettled([...running.values()].map(({ done }) => done));
    },
  };
}

function ended(status: JobEnd["status"], record: JobRecord, errors: JobEnd["errors"] = []): JobEnd {
  return { status, errors, warnings: record.warnings };
}
