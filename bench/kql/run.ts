// node bench/kql/run.ts [--rows 10000000] [--json]; results.md holds what it printed last
// Each query is run in turn with the SQL written by hand, on the same rows in the same process; the
// ratio of the best of five runs is what counts. Also: how long a warm translation takes.

import { parseArgs } from "node:util";
import { createEngine, openDuckDb, quoteName, type DatabaseSchema } from "../../src/kql/index.ts";
import { benchNow, pairedQueries } from "./queries.ts";

const { values } = parseArgs({ options: { rows: { type: "string", default: "10000000" }, json: { type: "boolean" } } });
const rows = Number(values.rows);

const database: DatabaseSchema = {
  name: "bench",
  tables: [
    {
      name: "Records",
      columns: [
        { name: "TimeGenerated", type: "datetime" },
        { name: "Category", type: "string" },
        { name: "Status", type: "string" },
        { name: "ItemId", type: "string" },
        { name: "Bytes", type: "long" },
        { name: "DurationSeconds", type: "real" },
        { name: "Message", type: "string" },
        { name: "Properties", type: "dynamic" },
      ],
    },
  ],
  functions: [],
};

const duckdb = await openDuckDb({ memoryLimitMiB: 6144 });
const connection = await duckdb.connect();
console.error(`making ${rows} rows`);
await connection.run(`CREATE TABLE "Records" AS SELECT
  TIMESTAMP '2026-01-01' + to_microseconds((i * (30 * 86400000000 / ${rows}))::BIGINT) AS "TimeGenerated",
  ['CoreAzureBackup','AddonAzureBackupJobs','AddonAzureBackupAlerts','AddonAzureBackupPolicy','AddonAzureBackupStorage','AzureBackupReport'][1 + (hash(i) % 6)::BIGINT] AS "Category",
  ['Completed','Completed','Completed','Completed','Completed','Completed','Failed','InProgress'][1 + (hash(i + 7) % 8)::BIGINT] AS "Status",
  'vm-' || (hash(i + 13) % 20000) AS "ItemId",
  (hash(i + 21) % 1000000)::BIGINT AS "Bytes",
  (hash(i + 34) % 360000) / 100.0 AS "DurationSeconds",
  'snapshot of disk ' || (hash(i + 55) % 64) || CASE WHEN hash(i + 89) % 50 = 0 THEN ' ended by Timeout after ' ELSE ' written in ' END || (hash(i) % 900) || ' s' AS "Message",
  ('{"vault":"v' || (hash(i + 144) % 12) || '","size":' || (hash(i) % 4096) || '}')::JSON AS "Properties"
  FROM range(${rows}) t(i)`);

const databases = [database];
const columns = new Map(
  database.tables[0]!.columns.map(({ name, type }) => [
    name,
    { sql: quoteName(name), timestamp: type === "datetime", notNull: true },
  ]),
);
await using engine = createEngine({
  duckdb,
  clock: { now: () => benchNow },
  catalog: { databases: () => Promise.resolve(databases), source: () => ({ from: '"Records"', columns }) },
});

async function best(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

const results: { name: string; kqlMs: number; sqlMs: number; ratio: number }[] = [];
for (const { name, kql, sql } of pairedQueries) {
  const [emitted] = await engine.explain(kql);
  await engine.query(kql); // from then on the instance has the functions that it calls
  let [kqlMs, sqlMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < 5; round += 1) {
    kqlMs = Math.min(kqlMs, await best(async () => (await connection.runAndReadAll(emitted!)).getRows()));
    sqlMs = Math.min(sqlMs, await best(async () => (await connection.runAndReadAll(sql)).getRows()));
  }
  results.push({ name, kqlMs, sqlMs, ratio: kqlMs / sqlMs });
}

// The first rounds warm the parser's thread up; what counts is the processor time of the last ones.
const [warming, counted] = [10, 5];
const translations: number[] = [];
let before = process.cpuUsage();
for (let round = 0; round < warming + counted; round += 1) {
  if (round === warming) before = process.cpuUsage();
  for (const { kql } of pairedQueries) {
    const elapsed = await best(() => engine.explain(`${kql} // ${round}`));
    if (round >= warming) translations.push(elapsed);
  }
}
const spent = process.cpuUsage(before);
const translationCpu = (spent.user + spent.system) / 1000 / translations.length;
const median = translations.toSorted((a, b) => a - b)[Math.floor(translations.length / 2)]!;

if (values.json === true) console.log(JSON.stringify({ rows, median, translationCpu, results }));
else {
  console.log(`| query | emitted, ms | by hand, ms | ratio |\n|---|---|---|---|`);
  for (const { name, kqlMs, sqlMs, ratio } of results) {
    console.log(`| ${name} | ${kqlMs.toFixed(1)} | ${sqlMs.toFixed(1)} | ${ratio.toFixed(2)} |`);
  }
  console.log(
    `\n${rows} rows; warm translation, median: ${median.toFixed(1)} ms, processor time: ${translationCpu.toFixed(1)} ms`,
  );
}
