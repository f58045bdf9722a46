// `kill -9` during ingestion, sealing and compaction: nothing acknowledged is lost, nothing is doubled.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../src/lib/clock.ts";
import { disk } from "../../src/lib/files.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { openLogStore } from "../../src/logs/store/log-store.ts";
import { chooseMoment, runAndKill } from "../crash/kill.ts";

const rounds = process.env["HOLDFAST_TEST_LONG"] === "1" ? 100 : 8;
const workspace = "11111111-2222-3333-4444-555555555555";

test(`logs survive ${rounds} kills`, async () => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-logs-kill-"));
  const random = seededRandom(7);
  const promised = new Set<string>();
  try {
    for (let round = 0; round < rounds; round += 1) {
      const program = join(import.meta.dirname, "log-writer.ts");
      const said = await runAndKill(
        { program: process.execPath, args: [program, folder, String(round)] },
        chooseMoment(random),
      );
      for (const name of said) promised.add(name);
      const report = (error: unknown): void => assert.fail(String(error));
      await using store = await openLogStore({ folder, disk, clock: systemClock, memoryLimitMiB: 256, report });
      const connection = await store.duckdb.connect();
      const names = async (table: string, column: string): Promise<string[]> => {
        const rows = await connection.run(`SELECT ${column} FROM ${store.source([workspace], table, {}).from}`);
        return (await rows.getRows()).flat().map(String);
      };
      const jobs = await names("AddonAzureBackupJobs", "JobUniqueId");
      const diagnostics = await names("AzureDiagnostics", "CorrelationId");
      connection.closeSync();
      assert.equal(new Set(jobs).size, jobs.length, "a record is there twice");
      assert.deepEqual(jobs.sort(), diagnostics.sort(), "a batch is half there");
      const there = new Set(jobs);
      assert.deepEqual(
        [...promised].filter((name) => !there.has(name)),
        [],
        "acknowledged records are gone",
      );
    }
    assert.ok(promised.size > rounds, `only ${promised.size} records were acknowledged`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
