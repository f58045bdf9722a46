import { DuckDBInstance } from "@duckdb/node-api";
import assert from "node:assert/strict";
import { mkdtemp, open, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { manualClock, type ManualClock } from "../../lib/clock.ts";
import { disk } from "../../lib/files.ts";
import { fromMilliseconds, type TimeBounds } from "../../kql/index.ts";
import { openLogStore, type LogStore } from "./log-store.ts";

const workspace = "11111111-2222-3333-4444-555555555555";
const start = Date.UTC(2026, 0, 10, 12);

describe("the store of logs", () => {
  let folder = "";
  let clock: ManualClock;
  const reported: unknown[] = [];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "holdfast-logs-"));
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
    assert.deepEqual(reported, []);
  });
  const openIn = (name: string): Promise<LogStore> => {
    clock = manualClock(start);
    return openLogStore({
      folder: join(folder, name),
      disk,
      clock,
      memoryLimitMiB: 256,
      compactFrom: 2,
      report: (error) => reported.push(error),
    });
  };
  const job = (id: number, at = start): Record<string, unknown> => ({
    JobUniqueId: `job ${id}`,
    TimeGenerated: at,
    DataTransferredInMB: id,
    ExtendedProperties: { id },
  });
  const append = (store: LogStore, records: Record<string, unknown>[], position?: number): Promise<void> =>
    store.append(
      [{ workspace, table: "AddonAzureBackupJobs", records }],
      position === undefined ? undefined : { source: "test", position },
    );
  const jobs = async (store: LogStore, range = {}): Promise<unknown[]> => {
    const connection = await store.duckdb.connect();
    try {
      const { from } = store.source([workspace], "AddonAzureBackupJobs", range);
      return (await (await connection.run(`SELECT JobUniqueId FROM ${from} ORDER BY 1`)).getRows()).flat();
    } finally {
      connection.closeSync();
    }
  };

  test("acknowledged records are there after another start, once", async () => {
    {
      await using store = await openIn("restart");
      await append(store, [job(1), job(2)]);
      await Promise.all([append(store, [job(3)]), append(store, [job(4)])]);
      assert.deepEqual(await jobs(store), ["job 1", "job 2", "job 3", "job 4"]);
    }
    {
      await using store = await openIn("restart");
      assert.deepEqual(await jobs(store), ["job 1", "job 2", "job 3", "job 4"]);
      await store.seal();
      assert.equal(store.status().parts, 1);
      await append(store, [job(5)]);
    }
    await using store = await openIn("restart");
    assert.deepEqual(await jobs(store), ["job 1", "job 2", "job 3", "job 4", "job 5"]);
  });

  test("a torn write at the end of the journal is cut off", async () => {
    {
      await using store = await openIn("torn");
      await append(store, [job(1)]);
    }
    const journal = join(folder, "torn", "journal");
    const [segment = ""] = await readdir(journal);
    const file = await open(join(journal, segment), "a");
    await file.write(Buffer.from([40, 0, 0, 0, 1, 2, 3]));
    await file.close();
    {
      await using store = await openIn("torn");
      assert.deepEqual(await jobs(store), ["job 1"]);
      await append(store, [job(2)]);
    }
    await using store = await openIn("torn");
    assert.deepEqual(await jobs(store), ["job 1", "job 2"]);
  });

  test("damage before the end is refused, not skipped", async () => {
    {
      await using store = await openIn("damaged");
      await append(store, [job(1)]);
    }
    {
      await using store = await openIn("damaged");
      await append(store, [job(2)]);
    }
    const journal = join(folder, "damaged", "journal");
    const [segment = ""] = (await readdir(journal)).sort();
    const file = await open(join(journal, segment), "r+");
    await file.write(Buffer.from([255]), 0, 1, 30);
    await file.close();
    await assert.rejects(openIn("damaged"), { code: "JournalDamaged" });
  });

  test("what a source has delivered is not taken in twice", async () => {
    {
      await using store = await openIn("positions");
      await append(store, [job(1)], 7);
      await append(store, [job(1)], 7);
      await store.seal();
      await append(store, [job(2)], 8);
    }
    await using store = await openIn("positions");
    await append(store, [job(1)], 7);
    await append(store, [job(2)], 8);
    assert.deepEqual(await jobs(store), ["job 1", "job 2"]);
  });

  test("rows are found by time in memory and in files, and days are joined", async () => {
    await using store = await openIn("time");
    for (let day = 0; day < 3; day += 1) {
      clock.set(start + day * 86_400_000);
      await append(store, [job(day, start + day * 86_400_000)]);
      await store.seal();
      await append(store, [job(10 + day, start + day * 86_400_000)]);
      await store.seal();
    }
    await append(store, [job(99, start)]);
    assert.equal(store.status().parts, 6);
    await store.compact();
    assert.equal(store.status().parts, 3);
    assert.deepEqual(await jobs(store, { from: start, to: start + 86_400_000 }), ["job 0", "job 10", "job 99"]);
  });

  test("files of times that a query does not need are not read", async () => {
    await using store = await openIn("needed");
    const day = 86_400_000;
    await append(store, [job(1, start - 3 * day), job(2, start - 2 * day), job(3)]);
    await store.seal();
    const files = (needed: TimeBounds): number =>
      store.source([workspace], "AddonAzureBackupJobs", {}, needed).from.split(".parquet").length - 1;
    const at = (milliseconds: number): bigint => fromMilliseconds(milliseconds);
    assert.equal(files({}), 3);
    assert.equal(files({ from: at(start - day) }), 1);
    assert.equal(files({ from: at(start), to: at(start) }), 1);
    assert.equal(files({ to: at(start - 2 * day) }), 2);
    assert.equal(files({ to: at(start - 2 * day) - 1n }), 1);
    assert.equal(files({ from: at(start) + 10n }), 0);
  });

  test("whole days go when their retention is over", async () => {
    await using store = await openIn("retention");
    await append(store, [job(1, start - 40 * 86_400_000), job(2)]);
    await store.seal();
    await store.retain({ workspaces: new Map([[workspace, { days: 30, tables: new Map() }]]) });
    assert.deepEqual(await jobs(store), ["job 2"]);
  });

  test("a reader keeps what it found when it came", async () => {
    await using store = await openIn("reader");
    await append(store, [job(1)]);
    const leave = store.enter();
    const { from } = store.source([workspace], "AddonAzureBackupJobs", {});
    await store.seal();
    const connection = await store.duckdb.connect();
    assert.equal((await (await connection.run(`SELECT JobUniqueId FROM ${from}`)).getRows()).length, 1);
    connection.closeSync();
    leave();
    assert.deepEqual(await jobs(store), ["job 1"]);
  });

  test("AzureDiagnostics grows columns, also over a restart", async () => {
    const record = { Category: "AzureBackupReport", TimeGenerated: start };
    const columns = (store: LogStore): string[] =>
      store
        .columnsOf(workspace, "AzureDiagnostics")
        .slice(-2)
        .map(({ name, type }) => `${name}:${type}`);
    {
      await using store = await openIn("grown");
      await store.append([{ workspace, table: "AzureDiagnostics", records: [{ ...record, Size_d: 1.5 }] }]);
      await store.seal();
      await store.append([{ workspace, table: "AzureDiagnostics", records: [record, { ...record, Item_s: "a" }] }]);
      assert.deepEqual(columns(store), ["Size_d:real", "Item_s:string"]);
    }
    await using store = await openIn("grown");
    assert.deepEqual(columns(store), ["Size_d:real", "Item_s:string"]);
    const connection = await store.duckdb.connect();
    const { from } = store.source([workspace], "AzureDiagnostics", {});
    assert.deepEqual(await (await connection.run(`SELECT Size_d, Item_s FROM ${from} ORDER BY 1, 2`)).getRows(), [
      [1.5, ""],
      [null, ""],
      [null, "a"],
    ]);
    connection.closeSync();
  });

  test("strings that are null in files of before that rule are read as empty", async () => {
    const statuses = async (store: LogStore): Promise<unknown[]> => {
      const connection = await store.duckdb.connect();
      const { from } = store.source([workspace], "AddonAzureBackupJobs", {});
      const rows = await (await connection.run(`SELECT JobStatus FROM ${from} ORDER BY JobUniqueId`)).getRows();
      connection.closeSync();
      return rows.flat();
    };
    {
      await using store = await openIn("older");
      await append(store, [{ ...job(1), JobStatus: "Failed" }, job(2)]);
      await store.seal();
    }
    const path = join(folder, "older", "manifest.json");
    const manifest = JSON.parse((await disk.read(path)).toString("utf8"));
    const [part] = manifest.parts;
    delete part.isFilled;
    await disk.writeDurably(path, JSON.stringify(manifest));
    const file = join(folder, "older", part.path);
    const duckdb = await DuckDBInstance.create(":memory:");
    const connection = await duckdb.connect();
    await connection.run(`CREATE TABLE t AS SELECT * REPLACE (nullif(JobStatus, '') AS JobStatus) FROM '${file}'`);
    await connection.run(`COPY t TO '${file}' (FORMAT parquet)`);
    connection.closeSync();
    duckdb.closeSync();
    await using store = await openIn("older");
    assert.deepEqual(await statuses(store), ["Failed", ""]);
    await append(store, [job(3)]);
    await store.seal();
    await store.compact();
    assert.equal(store.status().parts, 1);
    assert.deepEqual(await statuses(store), ["Failed", "", ""]);
  });

  test("a record from the future counts as of now", async () => {
    await using store = await openIn("future");
    await append(store, [job(1, start + 3_600_000), job(2, start + 300 * 86_400_000)]);
    assert.deepEqual(await jobs(store, { from: start, to: start + 1 }), ["job 2"]);
    assert.deepEqual(await jobs(store, { from: start + 1 }), ["job 1"]);
  });

  test("a value of another type than its column's is refused, whoever made the column", async () => {
    await using store = await openIn("conflict");
    const write = (record: object): Promise<void> =>
      store.append([{ workspace, table: "AzureDiagnostics", records: [{ Category: "c", ...record }] }]);
    await write({ Size_d: 1 });
    await assert.rejects(write({ Size_d: "large" }), { code: "RecordInvalid", message: /Size_d is of type real/ });
    await write({ Size_s: "large" });
    assert.deepEqual(store.columnsOf(workspace, "AzureDiagnostics").slice(-2), [
      { name: "Size_d", type: "real" },
      { name: "Size_s", type: "string" },
    ]);
  });

  test("records that do not fit are refused, with the whole batch", async () => {
    await using store = await openIn("refused");
    await assert.rejects(append(store, [job(1), { Nonsense: 1 }]), {
      code: "RecordInvalid",
      message: /no column 'Nonsense'/,
    });
    await assert.rejects(append(store, [job(1), { DataTransferredInMB: "much" }]), { code: "RecordInvalid" });
    await assert.rejects(append(store, [{ JobUniqueId: "x".repeat(2_000_000) }]), { code: "RecordTooLarge" });
    assert.deepEqual(await jobs(store), []);
  });
});
