import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openDatabase, type Database } from "../../db/database.ts";
import { describeEachDialect } from "../../db/testing/each-dialect.ts";
import { readEvents } from "../../events/read.ts";
import { systemClock } from "../../lib/clock.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { cancelJob } from "./cancel-job.ts";
import { createJob, type JobDraft } from "./create-job.ts";
import { JobFailure, jobError } from "./job-error.ts";
import { createJobEngine, type JobEngine, type JobEngineOptions } from "./job-engine.ts";
import type { Job } from "./job.ts";
import { getJob, listJobs, jobKey } from "./read-jobs.ts";

const by = { actor: "test", correlationId: "c" };
const vault = { key: "/vault" };

describeEachDialect("the job engine", ({ newPlace }) => {
  let database: Database;
  const reported: unknown[] = [];
  before(async () => {
    database = await openDatabase({ ...(await newPlace()), clock: systemClock });
  });
  after(() => database.close());

  const engineWith = (more: Partial<JobEngineOptions> = {}): JobEngine =>
    createJobEngine({
      database,
      holder: "node",
      limits: { server: 4, vault: 4, host: 4 },
      report: (error) => reported.push(error),
      lookAgainMilliseconds: 20,
      retry: { attempts: 3, interruptions: 5, firstDelayMilliseconds: 1 },
      ...more,
    });
  const begin = (draft: Partial<JobDraft> = {}): Promise<Job> =>
    database.transaction((trx) => createJob(trx, { vault, operation: "Backup", isUserTriggered: true, by, ...draft }));
  const ended = async (id: string): Promise<Job> => {
    for (;;) {
      const job = await getJob(database.kysely, vault, id);
      if (job.endedAt !== undefined) return job;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };

  test("tasks, properties, sub-steps and warnings of a job are in its row, and its end in one event", async () => {
    await using engine = engineWith();
    let committed = "";
    engine.register("Backup", {
      run: async (context) => {
        await context.startTask("Take Snapshot");
        context.progress(40);
        context.setProperty("VM Name", "vm1");
        context.subStep("frozen");
        await context.finishTask("Take Snapshot");
        context.warn(jobError("UserErrorFsFreezeFailed", "It did not freeze."));
        return {
          commit: async () => {
            committed += "commit ";
          },
        };
      },
      settle: async (_trx, job, end) => {
        committed += `${job.status} ${end.status}`;
      },
    });
    engine.start();
    const { id } = await begin({ tasks: ["Take Snapshot", "Transfer data to vault"] });
    const job = await ended(id);
    assert.equal(job.status, "CompletedWithWarnings");
    assert.equal(committed, "commit CompletedWithWarnings CompletedWithWarnings");
    assert.deepEqual(
      job.tasks.map(({ taskId, status }) => [taskId, status]),
      [
        ["Take Snapshot", "Completed"],
        ["Transfer data to vault", "NotStarted"],
      ],
    );
    assert.deepEqual(job.properties, { "VM Name": "vm1" });
    assert.deepEqual(
      job.subSteps.map(({ text }) => text),
      ["frozen"],
    );
    assert.equal(job.warnings[0]?.code, "UserErrorFsFreezeFailed");
    const { events } = await readEvents(database, 0, 1000);
    const own = events.filter(({ subject }) => subject.endsWith(id)).map(({ type }) => type);
    assert.equal(own[0], "job.started");
    assert.equal(own.at(-1), "job.ended");
    assert.equal(own.filter((type) => type === "job.ended").length, 1);
  });

  test("a failure carries its code, title and what to do; a transient one is tried again", async () => {
    await using engine = engineWith();
    let attempts = 0;
    engine.register("Backup", {
      run: async ({ job }) => {
        attempts = job.attempt;
        throw new JobFailure("UserErrorGuestAgentStatusUnavailable", "Nobody answers.");
      },
    });
    engine.register("Restore", {
      run: async () => {
        throw new JobFailure("UserErrorVmNotFoundV2", "It is gone.");
      },
    });
    engine.start();
    const job = await ended((await begin()).id);
    assert.equal(job.status, "Failed");
    assert.equal(attempts, 3);
    assert.equal(job.errors[0]?.code, "UserErrorGuestAgentStatusUnavailable");
    assert.equal(job.errors[0]?.message, "Nobody answers.");
    assert.ok(job.errors[0]?.recommendations.length);
    assert.equal((await ended((await begin({ operation: "Restore" })).id)).attempt, 1);
  });

  test("a running job is cancelled while it may be, and refuses afterwards", async () => {
    await using engine = engineWith();
    const taken = Promise.withResolvers<void>();
    engine.register("Backup", {
      run: ({ signal }) => {
        taken.resolve();
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
    });
    engine.start();
    const { id } = await begin({ isCancellable: true });
    await taken.promise;
    await database.transaction((trx) => cancelJob(trx, vault, id, by));
    assert.equal((await ended(id)).status, "Cancelled");
    await assert.rejects(
      database.transaction((trx) => cancelJob(trx, vault, id, by)),
      (error) => isErrorCode(error, "BMSUserErrorJobNotCancellable"),
    );
  });

  test("a job that nobody has taken up is cancelled without having run", async () => {
    const { id } = await begin({ isCancellable: true });
    await database.transaction((trx) => cancelJob(trx, vault, id, by));
    await using engine = engineWith();
    engine.register("Backup", { run: () => assert.fail("it ran") });
    engine.start();
    assert.equal((await ended(id)).status, "Cancelled");
  });

  test("a job outlives the process that worked on it, with its checkpoint; one that never ends is given up", async () => {
    const first = engineWith();
    const taken = Promise.withResolvers<void>();
    first.register("Backup", {
      run: async ({ checkpoint, signal }) => {
        await checkpoint({ at: 3 });
        taken.resolve();
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
    });
    first.start();
    const { id } = await begin();
    await taken.promise;
    await first[Symbol.asyncDispose]();
    assert.equal((await getJob(database.kysely, vault, id)).status, "InProgress");
    await using second = engineWith();
    second.register("Backup", {
      run: async ({ job }) => {
        assert.deepEqual(job.checkpoint, { at: 3 });
        assert.equal(job.attempt, 2);
      },
    });
    second.start();
    assert.equal((await ended(id)).status, "Completed");
    await second[Symbol.asyncDispose]();
    const hopeless = await begin();
    await database.kysely.updateTable("jobs").set({ attempt: 5 }).where("id", "=", hopeless.id).execute();
    await using third = engineWith();
    third.register("Backup", { run: () => assert.fail("it ran") });
    third.start();
    assert.equal((await ended(hopeless.id)).errors[0]?.code, "JobGivenUp");
  });

  test("a machine has one job at a time", async () => {
    const { id } = await begin({ exclusiveKey: "/vm" });
    await assert.rejects(begin({ exclusiveKey: "/vm" }), (error) =>
      isErrorCode(error, "UserErrorBackupOperationInProgress"),
    );
    await using engine = engineWith();
    engine.register("Backup", { run: async () => {} });
    engine.start();
    await ended(id);
    await ended((await begin({ exclusiveKey: "/vm" })).id);
  });

  test("lists go from the newest to the oldest, in pages without holes", async () => {
    const all = await listJobs(database.kysely, vault, {}, { limit: 100 });
    const paged: string[] = [];
    let after: string | undefined;
    for (;;) {
      const page = await listJobs(database.kysely, vault, {}, { limit: 2, ...(after === undefined ? {} : { after }) });
      paged.push(...page.map(({ id }) => id));
      const last = page.at(-1);
      if (last === undefined) break;
      after = jobKey(last);
    }
    assert.deepEqual(
      paged,
      all.map(({ id }) => id),
    );
    assert.ok(all.length > 5);
    assert.ok(all.every((job, index) => index === 0 || job.startedAt <= (all[index - 1]?.startedAt ?? 0)));
    const failed = await listJobs(database.kysely, vault, { status: "Failed" }, { limit: 100 });
    assert.ok(failed.length > 0 && failed.every(({ status }) => status === "Failed"));
  });
});
