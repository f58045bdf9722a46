import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { manualClock } from "../../lib/clock.ts";
import { disk } from "../../lib/files.ts";
import { openLogStore, type LogStore } from "./log-store.ts";

const workspace = "11111111-2222-3333-4444-555555555555";
const start = Date.UTC(2026, 0, 10, 12);
const hour = 3_600_000;
const uri = "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w";

test("what came in is told once for each hour and table, whatever starts and seals lie between", async () => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-usage-"));
  try {
    const clock = manualClock(start);
    const report = (error: unknown): void => {
      throw error;
    };
    // What is only in memory of the counts is lost at the end of each, as at a crash.
    const within = async (work: (store: LogStore) => Promise<void>): Promise<void> => {
      await using store = await openLogStore({ folder, disk, clock, memoryLimitMiB: 256, report });
      await work(store);
    };
    const append = (store: LogStore, table: string, name: string, count: number): Promise<void> =>
      store.append([{ workspace, table, records: Array.from({ length: count }, () => ({ OperationName: name })) }]);
    const tell = (store: LogStore): Promise<void> => store.tellUsage((id) => (id === workspace ? uri : undefined));
    const told = async (store: LogStore): Promise<unknown[]> => {
      const connection = await store.duckdb.connect();
      const { from } = store.source([workspace], "Usage", {});
      const columns = "epoch_ms(StartTime), DataType, Quantity, ResourceUri";
      const rows = await (await connection.run(`SELECT ${columns} FROM ${from} ORDER BY 1, 2`)).getRows();
      connection.closeSync();
      return rows.map(([at, table, quantity, resource]) => [(Number(at) - start) / hour, table, quantity, resource]);
    };
    // A job is its time (16 digits), its table's name (20 letters) and what the record says.
    const bytes = (count: number, letters: number): number => (count * (16 + 20 + letters)) / 1e6;
    const first = [0, "AddonAzureBackupJobs", bytes(15, 3), uri];
    const second = [1, "AddonAzureBackupJobs", bytes(2, 5), uri];

    await within(async (store) => {
      await append(store, "AddonAzureBackupJobs", "Job", 10);
      await store.seal();
      await append(store, "AddonAzureBackupJobs", "Job", 5);
      await tell(store);
      assert.deepEqual(await told(store), []);
    });
    clock.set(start + hour + 1);
    await within(async (store) => {
      await append(store, "AddonAzureBackupJobs", "Alert", 2);
      await Promise.all([tell(store), tell(store)]);
      assert.deepEqual(await told(store), [first]);
    });
    await within(async (store) => {
      await tell(store);
      await store.seal();
      assert.deepEqual(await told(store), [first]);
    });
    clock.set(start + 2 * hour + 1);
    await within(async (store) => {
      await tell(store);
      assert.deepEqual(await told(store), [first, second]);
    });
    clock.set(start + 5 * hour);
    await within(async (store) => {
      await tell(store);
      assert.deepEqual(await told(store), [first, second]);
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
