// How soon a machine runs from a recovery point, and how soon its files are listed.
//   node bench/restore/run.ts [ROUNDS] [DISK.raw] [FOLDER]
//
// Boot: the tiny guest, from QEMU's start to the first answer of its agent, in turns from its system disk
// as a local image and from a recovery point by what instant restore does: the vault behind our NBD server,
// a local overlay, and the disks coming home while it boots. DISK.raw is a further disk that comes home
// with it. Ratio of the medians; the goal is 1.3.
// Listing: volumes and the root folder of a point that no session is open for, through a running service,
// each round another point, so at most 9 rounds: a machine is backed up by hand no more often in a day. The
// helper guest is built and saved before. The median; the goal is 6 s.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepareHelper } from "../../src/backup/file-recovery/helper.ts";
import { servePoint } from "../../src/backup/instant/serve-point.ts";
import { runInGuest } from "../../src/guest/programs.ts";
import type { DefinedDisk } from "../../src/hosts/host.ts";
import { openQemuHost } from "../../src/hosts/qemu/host.ts";
import { newGuid, randomBytes } from "../../src/lib/random.ts";
import { waitFor } from "../../src/lib/time.ts";
import { openFsStore } from "../../src/store/backends/fs.ts";
import { beginSession, createVault, keyFromBytes, openVault, type Point, type Vault } from "../../src/store/index.ts";
import { openRawFile } from "../../src/store/sources/raw-file.ts";
import { startRig } from "../../test/backup/rig.ts";
import { guestImage } from "../../test/guests/guest-image.ts";

const [rounds = "7", further, place = tmpdir()] = process.argv.slice(2);
const folder = mkdtempSync(join(place, "holdfast-restore-bench-"));
const goals = { bootRatio: 1.3, listingSeconds: 6 };

try {
  const system = join(folder, "sys.raw");
  execFileSync("qemu-img", ["convert", "-O", "raw", (await guestImage()).disks.sys, system]);
  const images: Images = { sys: system, ...(further === undefined ? {} : { data: further }) };
  const boot = await measureBoot(images);
  const listing = await measureListing(images);
  const ratio = median(boot.instant) / median(boot.local);
  const listed = median(listing);
  const ok = ratio <= goals.bootRatio && listed <= goals.listingSeconds;
  process.stdout.write(`${JSON.stringify({ boot, ratio, listing, listed, goals, ok }, undefined, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

type Images = Readonly<Record<string, string>>;

async function measureBoot(images: Images): Promise<{ local: number[]; instant: number[] }> {
  const place = join(folder, "vault");
  const key = keyFromBytes(randomBytes(32));
  const point = await backUp(place, key, images);
  const local: number[] = [];
  const instant: number[] = [];
  for (let round = 0; round < Number(rounds); round += 1) {
    local.push(await bootLocally(images, join(folder, `local-${round}`)));
    // Opened anew: nothing of the round before is in memory.
    await using objects = await openFsStore(place);
    await using vault = await openVault(objects, key);
    instant.push(await bootFromPoint(vault, point, join(folder, `instant-${round}`)));
  }
  return { local, instant };
}

async function backUp(place: string, key: ReturnType<typeof keyFromBytes>, images: Images): Promise<Point> {
  await using objects = await openFsStore(place, { create: true });
  await createVault(objects, key);
  await using vault = await openVault(objects, key);
  await using session = await beginSession(vault, { item: "vm" });
  for (const [name, path] of Object.entries(images)) {
    await using source = await openRawFile(path);
    await session.addDisk(name, source);
  }
  return await session.commit();
}

async function bootLocally(images: Images, work: string): Promise<number> {
  mkdirSync(work);
  const disks = Object.entries(images).map(([id, image]): DefinedDisk => {
    const path = join(work, `${id}.raw`);
    execFileSync("cp", ["--sparse=always", "--reflink=auto", image, path]);
    return { id, source: { kind: "image", path, format: "raw" } };
  });
  return boot(work, disks, async () => {});
}

async function bootFromPoint(vault: Vault, point: Point, work: string): Promise<number> {
  const begun = performance.now();
  await using served = await servePoint(
    vault,
    point,
    point.disks.map(({ name }) => name),
    work,
  );
  const disks = served.exportNames.map((id): DefinedDisk => ({
    id,
    source: { kind: "point", address: served.address, exportName: id, overlayPath: join(work, `${id}.qcow2`) },
  }));
  const serving = (performance.now() - begun) / 1000;
  return (
    serving +
    (await boot(work, disks, async (bringHome) => {
      for (const { id } of disks) await bringHome(id);
    }))
  );
}

/** Seconds to the agent's first answer; `meanwhile` goes on beside it and is awaited afterwards. */
async function boot(
  work: string,
  disks: readonly DefinedDisk[],
  meanwhile: (bringHome: (disk: string) => Promise<void>) => Promise<void>,
): Promise<number> {
  const { kernelPath, initrdPath, commandLine } = await guestImage();
  const host = openQemuHost({ socketFolder: work, accelerator: "tcg" });
  const { lifecycle } = host;
  if (lifecycle === undefined) throw new Error("a QEMU host runs machines");
  const id = newGuid();
  try {
    await lifecycle.define({
      name: "guest",
      id,
      memoryBytes: 192 * 1024 ** 2,
      processors: 1,
      network: "none",
      disks,
      kernel: { path: kernelPath, initrdPath, commandLine },
    });
    const begun = performance.now();
    await lifecycle.start(id);
    const beside = meanwhile((disk) => lifecycle.bringHome(id, disk));
    beside.catch(() => {}); // awaited below
    const answer = (): Promise<true | undefined> =>
      host
        .withAgent(id, (agent) => runInGuest(agent, { path: "/bin/true", args: [] }))
        .then(() => true as const)
        .catch(() => undefined);
    await waitFor("the agent", answer, 120_000, 20);
    const seconds = (performance.now() - begun) / 1000;
    await beside;
    return seconds;
  } finally {
    await lifecycle.stop(id, 0).catch(() => {});
    await host.close();
    rmSync(work, { recursive: true, force: true });
  }
}

async function measureListing(images: Images): Promise<number[]> {
  await using rig = await startRig({ machines: { vm1: Object.keys(images).length } });
  for (const [number, path] of Object.values(images).entries())
    copyFileSync(path, join(rig.images, "vm1", `disk${number}.raw`));
  await prepareHelper(join(rig.data, "helper"));
  await rig.protect("vm1");
  for (let round = 0; round < Number(rounds); round += 1) await rig.backUp("vm1");
  const seconds: number[] = [];
  for (const { name } of await rig.points("vm1")) {
    const base = `${rig.itemPath("vm1")}/recoveryPoints/${name}/providers/Microsoft.Holdfast`;
    const begun = performance.now();
    const volumes = await rig.vault("GET", `${base}/volumes`);
    const [volume] = volumes.json.value as { name: string }[];
    const files = await rig.vault("GET", `${base}/files?path=${volume?.name ?? ""}`);
    seconds.push((performance.now() - begun) / 1000);
    const names = (files.json.value as { path: string }[]).map(({ path }) => path);
    if (!names.includes("etc")) throw new Error(`the system disk was not listed: ${files.text}`);
  }
  return seconds;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
