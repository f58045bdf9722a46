// Queries that are meant to hurt: each is answered, with an error that says what is wrong, and the next
// query finds the service well.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { disk } from "../../lib/files.ts";
import { waitFor } from "../../lib/time.ts";
import { openLogs, type Logs } from "../logs.ts";
import { testWorkspace } from "../testing/open-logs.ts";

const workspace = testWorkspace.customerId;
const nobody = async () => assert.fail("no other workspace was named");

describe("hostile queries", () => {
  let folder = "";
  let logs: Logs;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "holdfast-hostile-"));
    logs = openLogs({ folder, disk, memoryLimitMiB: 256, report: () => {} });
    const records = Array.from({ length: 5000 }, (_, n) => ({ JobUniqueId: `job ${n}`, JobStatus: "Completed" }));
    await logs.append([{ workspace, table: "AddonAzureBackupJobs", records }]);
  });
  after(async () => {
    await logs[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const answer = async (query: string, prefer?: string): Promise<{ status: number; json: string }> =>
    logs.answer(
      { body: { query }, workspaces: [testWorkspace], ...(prefer === undefined ? {} : { prefer }) },
      nobody,
      new AbortController().signal,
    );
  /** A parser that was killed for its bomb takes a moment to be there again. */
  const isWell = async (): Promise<void> => {
    const rows = await waitFor(
      "the next answer",
      async () => {
        const { status, json } = await answer("AddonAzureBackupJobs | count");
        return status === 200 ? (JSON.parse(json).tables[0].rows as unknown) : undefined;
      },
      120_000,
    );
    assert.deepEqual(rows, [[5000]]);
  };

  const refused: Readonly<Record<string, readonly [query: string, says: RegExp]>> = {
    "five thousand parentheses": [`print ${"(".repeat(5000)}1${")".repeat(5000)}`, /complex|nested|deep/i],
    "a table with a wrong letter": ["AddonAzureBackupJob | count", /AddonAzureBackupJobs/],
    "a comparison of wrong types": ["AddonAzureBackupJobs | where JobUniqueId > 5", /JobUniqueId|string|long|compare/i],
    "a name that closes a quote": [`AddonAzureBackupJobs | extend ['a"; DROP TABLE x; --'] = nowhere`, /nowhere/],
    "a file of the machine": ['externaldata(x:string)["/etc/passwd"]', /externaldata/],
  };
  for (const [what, [query, says]] of Object.entries(refused)) {
    test(`${what}: refused with its reason`, async () => {
      const { status, json } = await answer(query);
      assert.equal(status, 400, json.slice(0, 300));
      assert.match(json, says);
      await isWell();
    });
  }

  test("a sum of three thousand terms is added up or refused as too complex, and harms nothing", async () => {
    const { status, json } = await answer(`print n = ${Array(3000).fill("1").join("+")}`);
    if (status === 200) assert.deepEqual(JSON.parse(json).tables[0].rows, [[3000]]);
    else assert.match(json, /complex/i);
    await isWell();
  });

  test("a cross join ends at its deadline", async () => {
    const jobs = "(AddonAzureBackupJobs | extend k = 1 | project k, JobUniqueId)";
    const { status } = await answer(
      `${jobs} | join kind=inner ${jobs} on k | join kind=inner ${jobs} on k | summarize dcount(strcat(JobUniqueId, JobUniqueId1, JobUniqueId2))`,
      "wait=1",
    );
    assert.ok(status === 504 || status === 400, String(status));
    await isWell();
  });

  test("more rows than may be answered come in part, and say so", async () => {
    const { status, json } = await answer("range n from 1 to 1000000 step 1 | extend m = n");
    assert.equal(status, 200);
    const body = JSON.parse(json);
    assert.equal(body.error.code, "PartialError");
    assert.ok(body.tables[0].rows.length <= 500_000);
    await isWell();
  });

  /** What DuckDB makes whole in memory that it does not count would take the machine with it. */
  const unbounded: Readonly<Record<string, string>> = {
    "a series of a century in seconds for each job":
      "AddonAzureBackupJobs | make-series count() on TimeGenerated from datetime(1900-01-01) to datetime(2026-01-01) step 1s by JobUniqueId",
    "a list of all whole numbers": "range n from 1 to 100000000000 step 1 | summarize make_list(n)",
    "a product of two lists of a million":
      "print a = range(1, 1000000) | mv-expand a | extend b = range(1, 1000000) | mv-expand b | count",
  };
  for (const [what, query] of Object.entries(unbounded)) {
    test(`${what}: refused for its memory, before it has taken it`, async () => {
      const { status, json } = await answer(query);
      assert.equal(status, 400, json.slice(0, 300));
      assert.match(json, /ResourceLimit/);
      assert.ok(process.memoryUsage.rss() < 4 * 1024 ** 3, String(process.memoryUsage.rss()));
      await isWell();
    });
  }

  test("a range whose end is computed is counted, not made", async () => {
    const { json } = await answer(
      "let m = toscalar(print 30000000); range n from 1 to m step 1 | summarize max(n), count()",
    );
    assert.deepEqual(JSON.parse(json).tables[0].rows, [[30_000_000, 30_000_000]]);
  });

  test("a caller who goes away ends the query", async () => {
    const controller = new AbortController();
    const asked = logs.answer(
      { body: { query: "range n from 1 to 100000000000 step 1 | summarize sum(n * n)" }, workspaces: [testWorkspace] },
      nobody,
      controller.signal,
    );
    controller.abort();
    const { status, json } = await asked;
    assert.equal(status, 499, json);
    await isWell();
  });

  test("a constant that cannot be computed is tried once, not by every pass of the optimizer", async () => {
    const { status, json } = await answer("print a = series_fft(range(1, 100000))");
    assert.equal(status, 400);
    assert.match(json, /65536/);
    await isWell();
  });

  test("a list of a million is taken apart", async () => {
    const { status, json } = await answer("print a = range(1, 1000000) | mv-expand a | count");
    if (status === 200) assert.ok(JSON.parse(json).tables[0].rows[0][0] > 0);
    else assert.equal(status, 400, json.slice(0, 300));
    await isWell();
  });

  test("names and texts with quotes, statements and line ends are only names and texts", async () => {
    const text = `'; DROP SCHEMA g1 CASCADE; --"\n\u0000`;
    const record = { JobUniqueId: text, JobStatus: "Hostile" };
    await logs.append([{ workspace, table: "AddonAzureBackupJobs", records: [record] }]);
    const { json } = await answer(
      `AddonAzureBackupJobs | where JobStatus == "Hostile" and JobUniqueId startswith "'; DROP" | project ['a"b'] = JobUniqueId`,
    );
    assert.deepEqual(JSON.parse(json).tables[0].rows, [[text]]);
  });
});
