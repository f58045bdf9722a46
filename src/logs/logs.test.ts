import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { disk } from "../lib/files.ts";
import { openLogs, type Logs } from "./logs.ts";
import type { QueryWorkspace } from "./query/query-workspace.ts";
import { testWorkspace } from "./testing/open-logs.ts";

const workspace = testWorkspace.customerId;
const nobody = async (): Promise<QueryWorkspace> => assert.fail("no other workspace was named");

describe("logs in their thread", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "holdfast-logs-thread-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));
  const openIn = (name: string, memoryLimitMiB = 512): Logs =>
    openLogs({ folder: join(folder, name), disk, memoryLimitMiB, report: () => {} });
  const jobs = (count: number, prefix = "job"): object[] =>
    Array.from({ length: count }, (_, number) => ({ JobUniqueId: `${prefix} ${number}` }));
  const append = (logs: Logs, records: object[]): Promise<void> =>
    logs.append([{ workspace, table: "AddonAzureBackupJobs", records: records as Record<string, unknown>[] }]);
  const ask = async (logs: Logs, text: string, signal?: AbortSignal): Promise<unknown[][]> => {
    const { tables } = await logs.query({ text, workspaces: [testWorkspace], slice: {} }, nobody, signal);
    return (tables[0]?.rows ?? []).map((row) =>
      row.map((value) => (typeof value === "bigint" ? Number(value) : value)),
    );
  };

  test("nothing is started before there is a record or a query", async () => {
    await using logs = openIn("idle");
    await logs.maintain({ workspaces: new Map() });
    assert.ok((await logs.columnsOf(workspace, "CoreAzureBackup")).length > 50);
    assert.deepEqual(await readdir(folder), []);
  });

  test("what was acknowledged is there in the next process, and names, values and errors cross the thread", async () => {
    {
      await using logs = openIn("kept");
      await append(logs, jobs(3));
      await logs.maintain({ workspaces: new Map() });
      await append(logs, jobs(2, "more"));
      await assert.rejects(append(logs, [{ Nonsense: 1 }]), { code: "RecordInvalid", status: 400, target: "Nonsense" });
      const many = [...jobs(100, "many"), { Nonsense: 1 }];
      await assert.rejects(append(logs, many), { code: "RecordInvalid", status: 400, target: "Nonsense" });
      await append(logs, jobs(100, "hundred"));
      // The workspace is told what was dropped, once for each reason.
      assert.deepEqual(await ask(logs, "_LogOperation | project Category, Operation, Level, Detail"), [
        [
          "Ingestion",
          "Data dropped",
          "Error",
          "Data of type AddonAzureBackupJobs was dropped: The table AddonAzureBackupJobs has no column 'Nonsense'.",
        ],
      ]);
    }
    await using logs = openIn("kept");
    assert.deepEqual(
      await ask(
        logs,
        "AddonAzureBackupJobs | summarize count() by tostring(split(JobUniqueId, ' ')[0]) | sort by count_ asc",
      ),
      [
        ["more", 2],
        ["job", 3],
        ["hundred", 100],
      ],
    );
    await assert.rejects(ask(logs, "AddonAzureBackupJob"), { code: "SemanticError", status: 400 });
  });

  test("a workspace that a query names is looked up by whoever asks", async () => {
    await using logs = openIn("named");
    const named: string[] = [];
    const lookUp = async (name: string): Promise<QueryWorkspace> => {
      named.push(name);
      return { ...testWorkspace, name, customerId: "99999999-2222-3333-4444-555555555555" };
    };
    const wire = { body: { query: "workspace('other').CoreAzureBackup | count" }, workspaces: [testWorkspace] };
    const { status, json } = await logs.answer(wire, lookUp, new AbortController().signal);
    assert.deepEqual([status, JSON.parse(json).tables[0].rows, named], [200, [[0]], ["other"]]);
  });

  test("a query whose client has left is stopped, and the next one runs", async () => {
    await using logs = openIn("cancelled");
    await append(logs, jobs(1));
    await ask(logs, "print 1");
    const leaving = new AbortController();
    const endless = ask(logs, "range n from 1 to 100000000000 step 1 | summarize sum(n % 7)", leaving.signal);
    setTimeout(() => leaving.abort(), 100);
    await assert.rejects(endless, { code: "QueryCancelled" });
    assert.deepEqual(await ask(logs, "AddonAzureBackupJobs | count"), [[1]]);
  });

  test("a query that wants more memory than there is fails alone", async () => {
    await using logs = openIn("memory", 256);
    await append(logs, jobs(1000));
    await assert.rejects(
      ask(
        logs,
        "AddonAzureBackupJobs | extend k = 1 | join kind=inner (AddonAzureBackupJobs | extend k = 1) on k | join kind=inner (AddonAzureBackupJobs | extend k = 1) on k | summarize make_list(strcat(JobUniqueId, JobUniqueId1))",
        AbortSignal.timeout(120_000),
      ),
      { code: "ResourceLimit" },
    );
    assert.deepEqual(await ask(logs, "AddonAzureBackupJobs | count"), [[1000]]);
  });

  test("a record beyond a megabyte is refused and harms nothing", async () => {
    await using logs = openIn("large");
    await assert.rejects(append(logs, [{ JobUniqueId: "x".repeat(10_000_000) }]), {
      code: "RecordTooLarge",
      status: 413,
    });
    await append(logs, jobs(1));
    assert.deepEqual(await ask(logs, "AddonAzureBackupJobs | count"), [[1]]);
  });
});
