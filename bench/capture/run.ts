// What a capture costs: a first point of two disks side by side, and an increment of 64 MiB changed in
// 20 GiB, of a machine of qcow2 images. Prints one JSON document.
//   node bench/capture/run.ts [rounds] [filled GiB] [folder]

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { captureMachine, type Captured } from "../../src/backup/capture/index.ts";
import { openImagesHost } from "../../src/hosts/images/host.ts";
import { serveImages } from "../../src/hosts/storage-daemon.ts";
import { randomBytes, seededRandom } from "../../src/lib/random.ts";
import { connectNbd } from "../../src/nbd/client.ts";
import { openFsStore } from "../../src/store/backends/fs.ts";
import { createVault, keyFromBytes, openVault } from "../../src/store/index.ts";

const mebibyte = 1024 * 1024;
const gibibyte = 1024 * mebibyte;
const rounds = Number(process.argv[2] ?? 5);
const filledBytes = Number(process.argv[3] ?? 2) * gibibyte;
const folder = mkdtempSync(join(process.argv[4] ?? tmpdir(), "holdfast-bench-"));
const sizes = { "a-os.qcow2": 20 * gibibyte, "b-data.qcow2": 20 * gibibyte };
const changedBytes = 64 * mebibyte;
const runBytes = 64 * 1024;
const random = seededRandom(1);
const machine = join(folder, "machines", "bench");
const pathOf = (name: string): string => join(machine, name);

try {
  mkdirSync(machine, { recursive: true });
  for (const [name, size] of Object.entries(sizes)) {
    execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", pathOf(name), String(size)]);
    await writeInto(name, async (write) => {
      for (let at = 0; at < filledBytes / 2; at += 4 * mebibyte) await write(halfRandom(4 * mebibyte), at * 16);
    });
  }
  const host = openImagesHost({ folder: join(folder, "machines"), scratchFolder: join(folder, "scratch") });
  const machineId = (await host.listMachines())[0]?.id ?? "";
  await using place = await openFsStore(join(folder, "store"), { create: true });
  const key = keyFromBytes(randomBytes(32));
  await createVault(place, key);
  await using vault = await openVault(place, key);
  const capture = async (): Promise<Timed> => {
    const startedAt = performance.now();
    let snapshotMilliseconds = 0;
    let daemonMiB = 0;
    const captured = await captureMachine({
      host,
      machineId,
      vault,
      item: "bench",
      chain: "bench",
      consistency: "crash",
      onSnapshot: () => {
        snapshotMilliseconds = performance.now() - startedAt;
        daemonMiB = residentOfDaemon();
      },
    });
    return { captured, seconds: (performance.now() - startedAt) / 1000, snapshotMilliseconds, daemonMiB };
  };

  const first = await capture();
  const peakMiB = Math.ceil(process.resourceUsage().maxRSS / 1024);
  const increments: ReturnType<typeof describe>[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await writeInto("a-os.qcow2", async (write) => {
      for (let count = 0; count < changedBytes / runBytes; count += 1)
        await write(halfRandom(runBytes), Math.floor((random() * sizes["a-os.qcow2"]) / runBytes) * runBytes);
    });
    increments.push(describe(await capture()));
  }
  process.stdout.write(
    `${JSON.stringify({ first: describe(first), peakMiBOfTwoDisks: peakMiB, increments, node: process.version }, undefined, 2)}\n`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

interface Timed {
  readonly captured: Captured;
  readonly seconds: number;
  readonly snapshotMilliseconds: number;
  readonly daemonMiB: number;
}

function describe({ captured, seconds, snapshotMilliseconds, daemonMiB }: Timed): Record<string, number> {
  return {
    seconds: Number(seconds.toFixed(3)),
    snapshotMilliseconds: Math.round(snapshotMilliseconds),
    transferSeconds: Number((seconds - snapshotMilliseconds / 1000).toFixed(3)),
    bytesRead: captured.bytesRead,
    bytesStored: captured.bytesStored,
    storageDaemonMiB: daemonMiB,
  };
}

/** Opens an image as a machine does, so that its bitmaps record what is written. */
async function writeInto(
  name: string,
  work: (write: (bytes: Uint8Array, offset: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  const image = { path: pathOf(name), format: "qcow2", isWritable: true } as const;
  await using server = await serveImages([image], join(folder, "scratch"));
  await using client = await connectNbd({ ...server.address, exportName: server.exportNames[0] ?? "" });
  await work((bytes, offset) => client.write(bytes, offset));
  await client.flush();
}

/** Compresses to about a half. */
function halfRandom(length: number): Buffer {
  const bytes = randomBytes(length);
  for (let at = 0; at < length; at += 8192) bytes.fill(0x41, at, at + 4096);
  return bytes;
}

/** What the storage daemon that serves this bench's snapshot has resident. */
function residentOfDaemon(): number {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      if (!line.startsWith("qemu-storage-daemon") || !line.includes(folder)) continue;
      return Math.ceil(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024);
    } catch {
      // the process ended while we looked
    }
  }
  return 0;
}
