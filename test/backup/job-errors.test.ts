// What goes wrong with a host, a disk or a place, and how the job says so: each code of the table in
// docs/jobs.md that has its cause there, reached by that cause on real parts. One service; the causes that
// are tried again by the service itself wait side by side.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { backUpAll } from "./back-up-all.ts";
import { waitFor } from "../../src/lib/time.ts";
import { makeMachine, startRig, writeDisk, type Rig, type WireJob } from "./rig.ts";

const mebibyte = 1024 ** 2;
let rig: Rig;
let places: string;
let small: string;
let attic: string;

before(async () => {
  places = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-places-")));
  small = join(places, "small");
  mkdirSync(small);
  const volume = join(places, "volume");
  execFileSync("truncate", ["-s", "16M", volume]);
  execFileSync("mkfs.ext4", ["-q", "-F", "-m0", volume]);
  execFileSync("mount", ["-o", "loop", volume, small]);
  const environment = { HOLDFAST_PLACES_FOLDERS: places, HOLDFAST_RESTORE_FOLDERS: places };
  rig = await startRig({ machines: { busy: 1, large: 1 }, environment });
  const bad = makeMachine(rig.images, "bad");
  const image = (suffix: string): string => join(bad, `disk0.${suffix}`);
  execFileSync("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", image("raw"), image("qcow2")]);
  rmSync(image("raw"));
  // A look that takes longer than the answer may goes on behind it.
  assert.equal((await rig.vault("POST", "/backupFabrics/Azure/refreshContainers")).status, 202);
  const isFound = async (): Promise<true | undefined> =>
    (await rig.call("GET", rig.machineId("bad"))).status === 200 || undefined;
  await waitFor("bad to be found", isFound, 120_000);
  attic = join(places, "attic");
  makeMachine(attic, "lost");
  const host = await rig.call("PUT", `${rig.group}/providers/Microsoft.Holdfast/hosts/attic`, {
    location: "eastus",
    properties: { kind: "images", path: attic },
  });
  assert.ok(host.status < 300, host.text);
  const place = { location: { kind: "folder", path: join(small, "vault") } };
  const set = await rig.vault("PUT", "/providers/Microsoft.Holdfast/vaultSettings/default", { properties: { place } });
  assert.equal(set.status, 200, set.text);
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
  execFileSync("umount", [small]);
  rmSync(places, { recursive: true, force: true });
});

const imageOf = (machine: string): string => join(rig.images, machine, "disk0.raw");

function assertFailed(job: WireJob | undefined, code: string, says: RegExp): void {
  assert.equal(job?.properties.status, "Failed", JSON.stringify(job?.properties));
  const [error] = job.properties.errorDetails;
  assert.equal(error?.errorString.split(":")[0], code, error?.errorString);
  assert.match(error?.errorString ?? "", says);
  assert.notEqual(error?.recommendations.length, 0);
}

test("an image in use, a host that is gone, a damaged image: each job fails with its code", async () => {
  damage(join(rig.images, "bad", "disk0.qcow2"));
  for (const machine of ["busy", "lost", "bad"]) await rig.protect(machine);
  await using user = await openInQemu(imageOf("busy"));
  renameSync(attic, `${attic}-away`);
  try {
    const [busy, lost, bad] = await backUpAll(rig, ["busy", "lost", "bad"]);
    assertFailed(busy, "VmNotInDesirableState", /is in use/);
    assertFailed(lost, "HostUnreachable", /attic/);
    assertFailed(bad, "DiskUnreadable", /disk0\.qcow2/);
  } finally {
    renameSync(`${attic}-away`, attic);
    await user[Symbol.asyncDispose]();
  }
  for (const machine of ["busy", "lost"])
    assert.equal((await rig.backUp(machine)).properties.status, "Completed", `${machine}, when the cause is gone`);
});

test("a vault whose place is full: BackupStoreFull, no point, and the next backup is whole when there is room", async () => {
  await rig.protect("large");
  writeDisk(imageOf("large"), 0, randomBytes(4 * mebibyte));
  const filler = join(small, "filler");
  const free = Number(execFileSync("stat", ["-f", "-c", "%a", small], { encoding: "utf8" }));
  const block = Number(execFileSync("stat", ["-f", "-c", "%S", small], { encoding: "utf8" }));
  execFileSync("fallocate", ["-l", String(free * block - 2 * mebibyte), filler]);
  assertFailed(await rig.backUp("large"), "BackupStoreFull", /ENOSPC/);
  assert.deepEqual(await rig.points("large"), []);
  rmSync(filler);
  const job = await rig.backUp("large");
  assert.equal(job.properties.status, "Completed", JSON.stringify(job.properties.errorDetails));
});

test("a target without room: the restore says how much there is and how much it needs", async () => {
  const [point] = await rig.points("large");
  const folder = join(small, "restored");
  mkdirSync(folder);
  const answer = await rig.vault("POST", `${rig.itemPath("large")}/recoveryPoints/${point?.name}/restore`, {
    properties: {
      objectType: "IaasVMRestoreRequest",
      recoveryPointId: point?.name,
      recoveryType: "RestoreDisks",
      sourceResourceId: rig.machineId("large"),
      region: "eastus",
      holdfast: { folder },
    },
  });
  assertFailed(await rig.job(answer), "UserErrorInsufficientSpaceForRestore", /bytes free; the disks need \d+/);
  assert.deepEqual(readdirSync(folder), []);
});

/** An image that a virtual machine uses. */
async function openInQemu(path: string): Promise<AsyncDisposable> {
  const machine = [
    "-machine",
    "q35,accel=tcg",
    "-m",
    "16",
    "-S",
    "-nodefaults",
    "-display",
    "none",
    "-monitor",
    "stdio",
  ];
  const drive = ["-drive", `if=virtio,format=raw,file=${path}`];
  const child = spawn("qemu-system-x86_64", [...machine, ...drive], { stdio: ["pipe", "pipe", "ignore"] });
  const exited = once(child, "exit");
  await once(child.stdout, "data"); // its prompt: the image is open and locked
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** The table that says where the data is points to no place where data can be. */
function damage(path: string): void {
  const header = readFileSync(path);
  const firstTable = Number(header.readBigUInt64BE(40));
  const secondTable = Number(header.readBigUInt64BE(firstTable) & 0x00fffffffffffe00n);
  const entry = Buffer.alloc(8);
  entry.writeBigUInt64BE(0x8000000000000000n | 0x1200n);
  writeDisk(path, secondTable, entry);
}
