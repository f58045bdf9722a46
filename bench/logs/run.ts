// `node bench/logs/run.ts [ROWS]` (10,000,000 by default): ingestion in bulk and singly, from an append
// to a query that sees it, and typical queries. Each query is measured beside the same in DuckDB's SQL
// over the same files, in turns, so that a busy machine slows both.

import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { manualClock, monotonicMilliseconds, systemClock } from "../../src/lib/clock.ts";
import { disk } from "../../src/lib/files.ts";
import { openLogs } from "../../src/logs/logs.ts";
import { createLogQueries } from "../../src/logs/query/log-queries.ts";
import { openLogStore } from "../../src/logs/store/log-store.ts";
import { testWorkspace } from "../../src/logs/testing/open-logs.ts";
import { benchEnd, jobRecords } from "./generate.ts";

const rows = Number(process.argv[2] ?? 10_000_000);
const batchRows = 5000;
const workspace = testWorkspace.customerId;
const table = "AddonAzureBackupJobs";
const report = (error: unknown): void => {
  throw error;
};
const nobody = async () => testWorkspace;
const folder = await mkdtemp(join(tmpdir(), "holdfast-bench-logs-"));
const figures: Record<string, number> = { rows, cores: availableParallelism() };

const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;
const round = (value: number): number => Math.round(value * 100) / 100;

/** Through the thread, as the service does it. */
async function measureIngestion(): Promise<void> {
  await using logs = openLogs({ folder: join(folder, "live"), disk, memoryLimitMiB: 1024, report });
  await logs.append([{ workspace, table, records: [...jobRecords(1, 2)] }]);
  const single = [...jobRecords(5000, 3)];
  let started = monotonicMilliseconds();
  // The first record has begun to load the parser; who asks at once waits for the rest of it.
  await logs.query({ text: `${table} | count`, workspaces: [testWorkspace], slice: {} }, nobody);
  figures["first query after the first record, ms"] = round(monotonicMilliseconds() - started);
  started = monotonicMilliseconds();
  const atOnce = 64;
  await Promise.all(
    Array.from({ length: atOnce }, async (_, worker) => {
      for (let at = worker; at < single.length; at += atOnce)
        await logs.append([{ workspace, table, records: single.slice(at, at + 1) }]);
    }),
  );
  figures["single records/s, 64 writers"] = Math.round(single.length / ((monotonicMilliseconds() - started) / 1000));

  const seen: number[] = [];
  for (let number = 0; number < 100; number += 1) {
    const name = `probe-${number}`;
    started = monotonicMilliseconds();
    await logs.append([{ workspace, table, records: [{ JobUniqueId: name, TimeGenerated: systemClock.now() }] }]);
    const { tables } = await logs.query(
      { text: `${table} | where JobUniqueId == "${name}" | count`, workspaces: [testWorkspace], slice: {} },
      nobody,
    );
    if (String(tables[0]?.rows[0]?.[0]) !== "1") throw new Error("a record that was acknowledged is not there");
    seen.push(monotonicMilliseconds() - started);
  }
  figures["append to queryable ms p50"] = round(quantile(seen, 0.5));
  figures["append to queryable ms p99"] = round(quantile(seen, 0.99));

  // Made before the clock starts: making them is not ingesting them.
  const made = [...jobRecords(100_000, 4)];
  const bulk = Math.min(rows, 500_000);
  const pending: Promise<void>[] = [];
  started = monotonicMilliseconds();
  for (let at = 0; at < bulk; at += batchRows) {
    const records = made.slice(at % made.length, (at % made.length) + batchRows);
    pending.push(logs.append([{ workspace, table, records }]));
    if (pending.length >= 4) await pending.shift();
  }
  await Promise.all(pending);
  figures["bulk rows/s"] = Math.round(bulk / ((monotonicMilliseconds() - started) / 1000));
}

const typical: Readonly<Record<string, readonly [kql: string, sql: string]>> = {
  "one hour": [
    `${table} | where TimeGenerated > ago(1h) | count`,
    "SELECT count(*) FROM t WHERE TimeGenerated > TIMESTAMP '2026-01-30 23:00:00'",
  ],
  "group by status": [
    `${table} | summarize count(), sum(DataTransferredInMB) by JobStatus`,
    "SELECT JobStatus, count(*), sum(DataTransferredInMB) FROM t GROUP BY 1",
  ],
  has: [
    `${table} | where JobFailureCode has "HostUnreachable" | count`,
    "SELECT count(*) FROM t WHERE contains(lower(JobFailureCode), 'hostunreachable')",
  ],
  "latest of each machine, a day": [
    `${table} | where TimeGenerated > ago(1d) | summarize arg_max(TimeGenerated, JobStatus) by BackupItemUniqueId`,
    "SELECT BackupItemUniqueId, max(TimeGenerated), arg_max(JobStatus, TimeGenerated) FROM t WHERE TimeGenerated > TIMESTAMP '2026-01-30' GROUP BY 1",
  ],
  "failures by day and vault": [
    `${table} | where JobStatus == "Failed" | summarize count() by bin(TimeGenerated, 1d), VaultName`,
    "SELECT date_trunc('day', TimeGenerated), VaultName, count(*) FROM t WHERE JobStatus = 'Failed' GROUP BY 1, 2",
  ],
};

async function measureQueries(): Promise<void> {
  const clock = manualClock(benchEnd);
  await using store = await openLogStore({ folder: join(folder, "stored"), disk, clock, memoryLimitMiB: 1024, report });
  let batch: Record<string, unknown>[] = [];
  const started = monotonicMilliseconds();
  for (const record of jobRecords(rows)) {
    batch.push(record);
    if (batch.length < batchRows) continue;
    await store.append([{ workspace, table, records: batch }]);
    batch = [];
  }
  if (batch.length > 0) await store.append([{ workspace, table, records: batch }]);
  await store.seal();
  figures["load rows/s, sealed"] = Math.round(rows / ((monotonicMilliseconds() - started) / 1000));
  await store.compact();
  await using queries = createLogQueries(store, clock);
  const connection = await store.duckdb.connect();
  const from = store.source([workspace], table, {}).from;
  for (const [name, [kql, sql]] of Object.entries(typical)) {
    const times = { kql: [] as number[], sql: [] as number[] };
    for (let turn = 0; turn < 5; turn += 1) {
      let at = monotonicMilliseconds();
      await queries.run({ text: kql, workspaces: [testWorkspace], slice: {}, lookUp: nobody });
      times.kql.push(monotonicMilliseconds() - at);
      at = monotonicMilliseconds();
      await (await connection.run(sql.replace("FROM t", `FROM ${from} AS t`))).getRows();
      times.sql.push(monotonicMilliseconds() - at);
    }
    figures[`${name}: ms`] = round(quantile(times.kql, 0.5));
    figures[`${name}: times SQL`] = round(quantile(times.kql, 0.5) / quantile(times.sql, 0.5));
    // The text had to be translated; from then on it is remembered.
    figures[`${name}: first time, ms`] = round(times.kql[0] ?? Number.NaN);
  }
  connection.closeSync();
}

try {
  await measureIngestion();
  await measureQueries();
  process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
