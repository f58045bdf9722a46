// Debian with systemd: PostgreSQL under load, its data on one disk and its log on the other, backed up
// into a vault with the scripts as shipped, and once as after a power cut. What comes back starts, is
// sound in every page and index, and has every row that was acknowledged before.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { captureMachine, writePointDisks, type Captured } from "../../src/backup/capture/index.ts";
import { connectAgent } from "../../src/guest/agent.ts";
import { startFreezeWatchdog } from "../../src/guest/freeze-watchdog.ts";
import { finishApplications, prepareApplications, ticksOf } from "../../src/guest/vmsnapshot/applications.ts";
import { ensureExtension } from "../../src/guest/vmsnapshot/install.ts";
import type { Host } from "../../src/hosts/host.ts";
import { newGuid } from "../../src/lib/random.ts";
import { waitFor } from "../../src/lib/time.ts";
import { openFsStore } from "../../src/store/backends/fs.ts";
import { createVault, keyFromBytes, openVault, type ObjectStore, type Vault } from "../../src/store/index.ts";
import { debianImage } from "./debian-image.ts";
import { isLong } from "./long.ts";
import { startBeats, startRig, untilAgentAnswers, type Rig } from "./rig.ts";

const programs = "/usr/lib/postgresql/15/bin";
const writers = [1, 2, 3];
let folder: string;
let rig: Rig;
let place: ObjectStore;
let vault: Vault;

before(async () => {
  if (!isLong) return;
  const { boot, disks } = await debianImage();
  folder = mkdtempSync(join(tmpdir(), "holdfast-debian-"));
  const extraDisks = (["system", "data"] as const).map((name) => {
    const path = join(folder, `${name}.qcow2`);
    copyFileSync(disks[name], path);
    return { name, path, format: "qcow2" as const };
  });
  const key = keyFromBytes(Buffer.alloc(32, 5));
  place = await openFsStore(join(folder, "store"), { create: true });
  await createVault(place, key);
  vault = await openVault(place, key);
  rig = await startRig({ boot, extraDisks, memoryMebibytes: 768 });
  await waitFor("PostgreSQL", () => sql("SELECT 1").catch(() => undefined), 120_000);
  await beginLoad();
});
after(async () => {
  if (!isLong) return;
  await rig?.[Symbol.asyncDispose]();
  await vault?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** The guest takes minutes to build and to boot: in the campaign only (`./holdfast test --long`). */
function long(name: string, run: (context: TestContext) => Promise<void>): void {
  if (isLong) void test(name, run);
}

const sql = (statement: string): Promise<string> =>
  rig.shell(`cd /; runuser -u postgres -- psql -XAtq -c "${statement}"`);

/** Writers of single rows, who note in memory what was acknowledged, beside a load of updates. */
async function beginLoad(): Promise<void> {
  await sql("CREATE TABLE rows (writer int, n int, filler text, PRIMARY KEY (writer, n))");
  await rig.shell("cd /; runuser -u postgres -- pgbench -i -q -s 1 postgres");
  // Nothing but psql runs again and again: starting programs is what an emulated guest is slowest at.
  for (const number of writers) {
    const insert = `INSERT INTO rows VALUES (${number}, nextval('writer${number}'), repeat(md5(random()::text), 20)) RETURNING n \\watch 0.5`;
    await sql(`CREATE SEQUENCE writer${number}`);
    await rig.shell(`cat >/run/writer.${number} <<'END'\n${insert}\nEND`);
    const writer = `runuser -u postgres -- psql -XAtq </run/writer.${number} >/run/acknowledged.${number}`;
    await background(`sh -c '${writer}'`);
  }
  await background("runuser -u postgres -- pgbench -n -c 1 -R 2 -T 3600 postgres");
  await waitFor("rows", async () => (await acknowledged()).every((count) => count > 10) || undefined, 120_000);
}

/** In a unit of its own, as the agent may be ended. */
const background = (command: string): Promise<string> =>
  rig.shell(`cd /; systemd-run --quiet --collect ${command} </dev/null >/dev/null 2>&1`);

/** The last row of each writer that PostgreSQL said was committed; by one program, for the guest is slow at starting them. */
const acknowledged = async (): Promise<number[]> =>
  (await rig.shell(`awk '${lastNumbers}' ${writers.map((number) => `/run/acknowledged.${number}`).join(" ")}`, 120_000))
    .trim()
    .split("\n")
    .map(Number);

const lastNumbers =
  "/^[0-9]+$/ { last[FILENAME] = $0 } END { for (place = 1; place < ARGC; place++) print last[ARGV[place]] }";

interface Taken extends Captured {
  /** By writer: acknowledged when the snapshot was about to begin, and after it. */
  readonly before: readonly number[];
  readonly after: readonly number[];
}

async function backUp(consistency: "application" | "crash"): Promise<Taken> {
  let before: number[] = [];
  let after: number[] = [];
  const host: Host = {
    ...rig.host,
    snapshot: async (id, request, signal) => {
      before = await acknowledged();
      const session = await rig.host.snapshot(id, request, signal);
      try {
        after = await acknowledged();
        return session;
      } catch (error) {
        await session.abandon();
        throw error;
      }
    },
  };
  const request = { host, machineId: rig.machine.id, vault, item: "debian", chain: "debian", consistency };
  return { ...(await captureMachine(request)), before, after };
}

/** The database of a point, out of its images without mounting one, started here. */
async function restoreDatabase({ point }: Taken, isFrozen: boolean): Promise<RestoredDatabase> {
  const target = join(folder, point.name.replaceAll(/\W/g, "-"));
  mkdirSync(target, { mode: 0o755 });
  execFileSync("chmod", ["755", folder]);
  const images = ["system", "data"].map((name) => join(target, `${name}.raw`));
  await writePointDisks(vault, point, [
    { disk: "system", path: images[0]!, format: "raw" },
    { disk: "data", path: images[1]!, format: "raw" },
  ]);
  for (const image of images) {
    const features = execFileSync("dumpe2fs", ["-h", image], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    if (isFrozen) assert.doesNotMatch(features, /needs_recovery/);
    else {
      assert.match(features, /needs_recovery/);
      execFileSync("e2fsck", ["-E", "journal_only", "-y", image], { stdio: "pipe" });
    }
    execFileSync("e2fsck", ["-fn", image], { stdio: "pipe" });
  }
  const data = join(target, "main");
  const extract = (image: string, from: string): unknown =>
    execFileSync("debugfs", ["-R", `rdump ${from} ${target}`, image], { stdio: "pipe" });
  extract(images[1]!, "/15/main");
  extract(images[0]!, "/var/lib/pg_wal");
  rmSync(join(data, "pg_wal"));
  execFileSync("mv", [join(target, "pg_wal"), join(data, "pg_wal")]);
  rmSync(join(data, "postmaster.pid"), { force: true });
  writeFileSync(join(data, "pg_hba.conf"), "local all all trust\n");
  writeFileSync(
    join(data, "postgresql.conf"),
    `listen_addresses = ''\nunix_socket_directories = '${target}'\njit = off\n`,
  );
  execFileSync("chown", ["-R", "postgres:postgres", target]);
  for (const image of images) rmSync(image);
  asPostgres("pg_ctl", "-D", data, "-w", "-s", "-l", join(target, "log"), "start");
  return {
    data,
    log: readFileSync(join(target, "log"), "utf8"),
    sql: (statement) => asPostgres("psql", "-XAtq", "-h", target, "-c", statement).trim(),
    check: () =>
      void asPostgres("pg_amcheck", "-h", target, "--all", "--install-missing", "--heapallindexed", "--parent-check"),
    stop: () => void asPostgres("pg_ctl", "-D", data, "-m", "fast", "-w", "-s", "stop"),
  };
}

interface RestoredDatabase {
  readonly data: string;
  readonly log: string;
  sql(statement: string): string;
  /** Fails where a page or an index is not sound. */
  check(): void;
  stop(): void;
}

function asPostgres(program: string, ...args: string[]): string {
  return execFileSync("runuser", ["-u", "postgres", "--", join(programs, program), ...args], {
    encoding: "utf8",
    cwd: "/",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Every acknowledged row, no gaps, and nothing of what came later. */
function checkRows(database: RestoredDatabase, { before, after }: Taken): void {
  const found = database.sql("SELECT count(*), max(n) FROM rows GROUP BY writer ORDER BY writer").split("\n");
  for (const [index, line] of found.entries()) {
    const [count = 0, last = 0] = line.split("|").map(Number);
    const [least = NaN, most = NaN] = [before[index], after[index]];
    assert.equal(count, last, `writer ${index + 1} has gaps`);
    assert.ok(last >= least, `writer ${index + 1}: ${least} rows were acknowledged, ${last} came back`);
    // One more may have been committed and not yet said so.
    assert.ok(last <= most + 1, `writer ${index + 1}: ${last} rows came back, ${most} had been written`);
  }
  assert.equal(found.length, writers.length);
  const sums = ["pgbench_accounts WHERE abalance <> 0", "pgbench_tellers", "pgbench_branches"].map((table) =>
    database.sql(`SELECT coalesce(sum(${table[8]}balance), 0) FROM ${table}`),
  );
  assert.ok(new Set(sums).size === 1, `balances differ: ${sums.join(", ")}`);
}

long(
  "with the scripts as shipped a point is application consistent, and the database comes back from it",
  async (context) => {
    await rig.host.withAgent(rig.machine.id, (agent) => ensureExtension(agent));
    const config = "/etc/azure/VMSnapshotScriptPluginConfig.json";
    await rig.shell(`install -m 600 /etc/azure/holdfast/postgresql/VMSnapshotScriptPluginConfig.json ${config}`);
    // As shipped it is 60 s, which an emulated guest on a busy machine does not always keep.
    await rig.shell(`sed -i 's/"timeoutInSeconds": 60/"timeoutInSeconds": 300/' ${config}`);
    const taken = await backUp("application");
    const { consistency } = taken.facts;
    const warnings = taken.remarks.filter(({ severity }) => severity === "warning");
    assert.deepEqual([consistency.level, warnings], ["application", []]);
    context.diagnostic(`frozen for ${JSON.stringify(consistency)}; rows ${taken.before.join(", ")}`);
    const database = await restoreDatabase(taken, true);
    try {
      checkRows(database, taken);
      database.check();
      // The point stands between what the pre-script wrote into the log and its end.
      const log = ["--path", join(database.data, "pg_wal"), firstSegment(database)];
      // Without an end it fails where the log does.
      const end = database.sql("SELECT pg_current_wal_flush_lsn()");
      const waldump = asPostgres("pg_waldump", "--rmgr=XLOG", `--end=${end}`, ...log);
      assert.match(waldump, /RESTORE_POINT holdfast-\d{8}T\d{6}Z/);
      assert.doesNotMatch(waldump, /BACKUP_END/);
    } finally {
      database.stop();
    }
    assert.equal(
      (await sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%held%' AND pid <> pg_backend_pid()")).trim(),
      "0",
    );
  },
);

const firstSegment = (database: RestoredDatabase): string =>
  execFileSync("sh", ["-c", 'ls "$0" | grep -E "^[0-9A-F]{24}$" | head -n 1', join(database.data, "pg_wal")], {
    encoding: "utf8",
  }).trim();

long("a crash consistent point needs its journals, and the database recovers with every acknowledged row", async () => {
  const taken = await backUp("crash");
  assert.equal(taken.facts.consistency.level, "crash");
  assert.ok(taken.disks.every(({ changes }) => changes === "known"));
  const database = await restoreDatabase(taken, false);
  try {
    assert.match(database.log, /automatic recovery in progress/);
    checkRows(database, taken);
    database.check();
  } finally {
    database.stop();
  }
});

long("systemd takes the agent away in the middle: the post-script still runs", async () => {
  const task = { taskId: newGuid(), startTicks: ticksOf(Date.now()) };
  const prepared = await rig.host.withAgent(rig.machine.id, (agent) => prepareApplications(agent, task));
  assert.equal(prepared.isAtRest, true);
  await rig.shell("systemctl kill -s KILL qemu-guest-agent").catch(() => {});
  await untilAgentAnswers(rig);
  const finished = await rig.host.withAgent(rig.machine.id, (agent) => finishApplications(agent, prepared));
  assert.deepEqual([finished.stayedAtRest, finished.failure], [true, undefined]);
});

long("systemd takes the agent away while all is frozen: the watchdog, a unit of its own, thaws", async () => {
  const path = join(rig.folder, "guest.qga");
  const [first = NaN] = await acknowledged();
  const beats = await startBeats(rig, "/var/tmp/beat", background);
  {
    using agent = await connectAgent(path);
    await startFreezeWatchdog(agent, 4_000);
    // A unit whose timer runs in memory kills the agent with all of its children.
    await agent.command("guest-exec", {
      path: "/bin/systemd-run",
      arg: ["--quiet", "--collect", "sh", "-c", "sleep 2; systemctl kill -s KILL qemu-guest-agent"],
    });
    await agent.command("guest-fsfreeze-freeze");
  }
  const atFreeze = beats();
  // The second of two began after the freeze.
  await waitFor("the guest's writes", () => beats() >= atFreeze + 2 || undefined, 120_000);
  // The new agent believes that all is frozen still, and runs nothing.
  const tellThawed = async (): Promise<true> => {
    using agent = await connectAgent(path, { syncMilliseconds: 1_000 });
    await agent.command("guest-fsfreeze-thaw");
    return true;
  };
  await waitFor("the agent", () => tellThawed().catch(() => undefined), 120_000);
  await untilAgentAnswers(rig);
  assert.match(await rig.shell("ls /run/holdfast; rm -f /run/holdfast/*.fired"), /^freeze-[0-9a-f-]+\.fired$/m);
  await waitFor("rows", async () => ((await acknowledged())[0] ?? 0) > first + 5 || undefined, 120_000);
});
