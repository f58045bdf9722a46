// What a backup costs the guest: how long a durable write of 4 KiB takes, measured in the guest, without
// a backup and while one reads all disks into a vault, in pairs; and how long three disks stand still.
//   node bench/hosts/guest-latency.ts [ROUNDS] [MEBIBYTES]

import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { captureMachine } from "../../src/backup/capture/index.ts";
import { writeGuestFile } from "../../src/guest/files.ts";
import { randomBytes } from "../../src/lib/random.ts";
import { sleep, waitFor } from "../../src/lib/time.ts";
import { openFsStore } from "../../src/store/backends/fs.ts";
import { createVault, keyFromBytes, openVault } from "../../src/store/index.ts";
import { deviceOf, newDisk, startRig, type Rig } from "../../test/guests/rig.ts";

const [rounds = "5", mebibytes = "2048"] = process.argv.slice(2);
const spanMebibytes = 256;
const idleMilliseconds = 10_000;
const freezes = 20;
const folder = mkdtempSync(join(tmpdir(), "holdfast-latency-"));

try {
  const extraDisks = [newDisk(folder, "written", spanMebibytes), newDisk(folder, "read", Number(mebibytes))];
  fill(join(folder, "read.raw"), Number(mebibytes));
  fill(join(folder, "written.raw"), spanMebibytes);
  await using rig = await startRig({ templates: ["sys"], extraDisks });
  await putProgram(rig);
  console.log("| round | without, median | p95 | during, median | p95 | writes | median ratio | mean ratio |");
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- |");
  const ratios: number[] = [];
  for (let round = 1; round <= Number(rounds); round += 1) {
    const without = await whileWriting(rig, () => sleep(idleMilliseconds));
    let during: Latencies | undefined;
    await backUp(rig, round, async (transfer) => {
      during = await whileWriting(rig, () => transfer);
    });
    if (during === undefined) throw new Error("the backup was over before it was measured");
    const ratio = during.median / without.median;
    ratios.push(ratio);
    const shown = [without, during].map(({ median, p95 }) => `${median} µs | ${p95} µs`).join(" | ");
    const counts = `${without.count}, ${during.count}`;
    console.log(
      `| ${round} | ${shown} | ${counts} | ${ratio.toFixed(2)} | ${(during.mean / without.mean).toFixed(2)} |`,
    );
  }
  const middle = ratios.sort((a, b) => a - b)[ratios.length >> 1];
  console.log(`\nMedian of the median ratios: ${middle?.toFixed(2)} (goal: at most 1.3).`);

  const windows: number[] = [];
  for (let number = 1; number <= freezes; number += 1) {
    await using session = await rig.host.snapshot(rig.machine.id, {
      consistency: "fileSystem",
      chain: "window",
      point: `p${number}`,
    });
    if (session.consistency.level !== "fileSystem") throw new Error(JSON.stringify(session.consistency));
    windows.push(session.consistency.frozenMilliseconds);
  }
  windows.sort((a, b) => a - b);
  console.log(
    `\nFrozen, ${freezes} snapshots of 3 disks: median ${windows[freezes >> 1]} ms, longest ${windows.at(-1)} ms (goal: under 500 ms).`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function fill(path: string, size: number): void {
  const file = openSync(path, "r+");
  for (let at = 0; at < size; at += 16) writeSync(file, randomBytes(16 * 1024 ** 2));
  closeSync(file);
}

async function putProgram({ host, machine, shell }: Rig): Promise<void> {
  const program = join(folder, "latency");
  execFileSync("gcc", ["-O2", "-static", "-s", "-o", program, join(import.meta.dirname, "latency.c")]);
  await host.withAgent(machine.id, (agent) => writeGuestFile(agent, "/run/latency", readFileSync(program)));
  await shell("chmod 700 /run/latency");
}

interface Latencies {
  readonly median: number;
  readonly p95: number;
  readonly mean: number;
  readonly count: number;
}

/** The guest writes for as long as `work` goes on. */
async function whileWriting({ shell }: Rig, work: () => Promise<void>): Promise<Latencies> {
  await shell(
    `rm -f /run/stop; (/run/latency ${deviceOf("written")} ${spanMebibytes * 1024 ** 2} /run/stop >/run/times.new; mv /run/times.new /run/times) </dev/null >/dev/null 2>&1 &`,
  );
  await work();
  const text = await waitFor(
    "the times",
    async () => (await shell("touch /run/stop; cat /run/times 2>/dev/null && rm /run/times || :")) || undefined,
    60_000,
  );
  const times = text
    .trim()
    .split("\n")
    .map(Number)
    .sort((a, b) => a - b);
  return {
    median: times[times.length >> 1] ?? NaN,
    p95: times[Math.floor(times.length * 0.95)] ?? NaN,
    mean: times.reduce((sum, time) => sum + time, 0) / times.length,
    count: times.length,
  };
}

/** All disks in full into a new vault; `meanwhile` gets what settles when all is read and stored. */
async function backUp(rig: Rig, round: number, meanwhile: (transfer: Promise<void>) => Promise<void>): Promise<void> {
  const place = join(folder, `vault-${round}`);
  await using store = await openFsStore(place, { create: true });
  const key = keyFromBytes(Buffer.alloc(32, 1));
  await createVault(store, key);
  await using vault = await openVault(store, key);
  const begun = Promise.withResolvers<void>();
  const transfer = captureMachine({
    host: rig.host,
    machineId: rig.machine.id,
    vault,
    item: "guest",
    chain: `round-${round}`,
    consistency: "fileSystem",
    onSnapshot: () => begun.resolve(),
  }).then(() => {});
  await Promise.race([begun.promise, transfer]);
  await Promise.all([meanwhile(transfer), transfer]);
  rmSync(place, { recursive: true, force: true });
}
