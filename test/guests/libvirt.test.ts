// Machines of a libvirt daemon: found, backed up with their changes, and left as they were.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runInGuest } from "../../src/guest/programs.ts";
import type { Host, SnapshotDisk, SnapshotRequest, SnapshotSession } from "../../src/hosts/host.ts";
import { openLibvirtHost } from "../../src/hosts/libvirt/host.ts";
import { waitFor } from "../../src/lib/time.ts";
import { startLibvirtSession, type LibvirtSession } from "./libvirt-session.ts";
import { applyChanges, digest, openDisk, readWhole } from "./rig.ts";

const id = "7a6dd2a5-7d5c-4d34-9f04-6e3f7e0a0001";
let session: LibvirtSession;
let host: Host;

before(async () => {
  session = await startLibvirtSession();
  host = await openLibvirtHost({ uri: session.uri, scratchFolder: session.scratchFolder });
  const path = join(session.folder, "guest.xml");
  writeFileSync(
    path,
    await session.domain(id, [
      { serial: "sys", template: "sys" },
      { serial: "a", template: "a" },
      { serial: "b", template: "b" },
      { serial: "plain", format: "raw" },
    ]),
  );
  await session.virsh("define", path);
});
after(async () => {
  await host.close();
  await session[Symbol.asyncDispose]();
});

const take = (request: Partial<SnapshotRequest> = {}): Promise<SnapshotSession> =>
  host.snapshot(id, { consistency: "crash", chain: "test", point: "p1", ...request });

async function shell(command: string): Promise<string> {
  const { exitCode, stdout, stderr } = await host.withAgent(id, (agent) =>
    runInGuest(agent, { path: "/bin/sh", args: ["-c", command] }),
  );
  assert.equal(exitCode, 0, `${command}: ${stderr}`);
  return stdout;
}

const untilAgent = (): Promise<string> =>
  waitFor("the agent", () => shell("cat /proc/uptime").catch(() => undefined), 120_000);

function traces(): string[] {
  return readdirSync(session.scratchFolder).filter((name) => name !== "machines");
}

const sizesOf = (taken: SnapshotSession): Record<string, number> =>
  Object.fromEntries(taken.disks.map(({ disk, sizeBytes }) => [disk.id, sizeBytes]));

const changesOf = (taken: SnapshotSession): unknown[] =>
  taken.disks.map(({ disk, changes }) => [disk.id, changes.known || changes.reason]);

function diskOf(taken: SnapshotSession, name: string): SnapshotDisk {
  const found = taken.disks.find(({ disk }) => disk.id === name);
  assert.ok(found !== undefined);
  return found;
}

test("a machine is known by its UUID, its disks by their serials; off it is read from its images", async () => {
  const [machine] = await host.listMachines();
  assert.deepEqual(
    [machine?.id, machine?.name, machine?.powerState, machine?.hasAgent, machine?.problem],
    [id, "g 0001 &'", "stopped", true, undefined],
  );
  assert.deepEqual(
    machine?.disks.map((disk) => [disk.id, disk.name, disk.format, disk.lun]),
    [
      ["sys", "vda", "qcow2", -1],
      ["a", "vdb", "qcow2", 0],
      ["b", "vdc", "qcow2", 1],
      ["plain", "vdd", "raw", 2],
    ],
  );
  await assert.rejects(host.findMachine("7a6dd2a5-7d5c-4d34-9f04-6e3f7e0affff"), { code: "MachineNotFound" });
  await using taken = await take({ point: "off" });
  assert.equal(taken.consistency.level === "crash" && taken.consistency.reason, "MachineNotRunning");
  assert.equal((await readWhole(diskOf(taken, "a"))).length, 64 * 1024 * 1024);
  await taken.commit();
});

test("from point to point only what changed is told, over a start, over commits and over an abandoned attempt", async () => {
  await host.lifecycle?.start(id);
  await untilAgent();
  let copy: Buffer;
  let sizes: Record<string, number>;
  {
    // Of the point that was made while the machine was off, libvirt never heard.
    const since = { point: "off", sizes: { sys: 64 << 20, a: 64 << 20, b: 64 << 20, plain: 8 << 20 } };
    await using taken = await take({ consistency: "fileSystem", point: "p1", since });
    assert.equal(taken.consistency.level, "fileSystem");
    assert.deepEqual(changesOf(taken), [
      ["sys", true],
      ["a", true],
      ["b", true],
      ["plain", "NotTracked"],
    ]);
    copy = await readWhole(diskOf(taken, "a"));
    sizes = sizesOf(taken);
    const image = join(session.folder, "a.raw");
    writeFileSync(image, copy);
    execFileSync("e2fsck", ["-fn", image], { stdio: "pipe" });
    await taken.commit();
  }
  const write = (name: string): Promise<string> =>
    shell(`dd if=/dev/urandom of=/mnt/a/${name} bs=64k count=16 2>/dev/null; sync; sha256sum </mnt/a/${name}`);
  await write("one");
  {
    await using taken = await take({ point: "given-up", since: { point: "p1", sizes } });
    assert.equal(diskOf(taken, "a").changes.known, true);
  }
  await write("two");
  await using taken = await take({ consistency: "fileSystem", point: "p2", since: { point: "p1", sizes } });
  const updated = await applyChanges(diskOf(taken, "a"), copy);
  const whole = await readWhole(diskOf(taken, "a"));
  assert.equal(digest(updated.content), digest(whole));
  assert.ok(updated.readBytes > 2 * 1024 * 1024 && updated.readBytes < 32 * 1024 * 1024, `${updated.readBytes} bytes`);
  const counted = await taken.guestWrites?.();
  await write("three");
  const since = await taken.guestWrites?.();
  assert.ok(counted !== undefined && since !== undefined && since.operations > counted.operations);
  assert.ok(since.nanoseconds > counted.nanoseconds);
  assert.equal(digest(await readWhole(diskOf(taken, "a"))), digest(whole), "a point does not move");
  await assert.rejects(take(), { code: "SnapshotInProgress" });
  await taken.commit();
  assert.deepEqual(traces(), []);
  assert.equal(await session.virsh("checkpoint-list", id, "--name"), "holdfast.test.p2");
});

test("a machine that libvirt has forgotten and found again keeps its changes", async () => {
  const machine = await host.findMachine(id);
  const sizes = Object.fromEntries(machine.disks.map((disk) => [disk.id, disk.sizeBytes]));
  await session.virsh("checkpoint-delete", id, "--checkpointname", "holdfast.test.p2", "--metadata");
  await using taken = await take({ point: "p3", since: { point: "p2", sizes } });
  assert.deepEqual(changesOf(taken), [
    ["sys", true],
    ["a", true],
    ["b", true],
    ["plain", "NotTracked"],
  ]);
  await taken.commit();
});

test("a disk comes to the running machine and stays in its definition until it goes", async () => {
  const path = join(session.folder, "images", "more.raw");
  writeFileSync(path, Buffer.alloc(8 * 1024 * 1024));
  session.give(path);
  const more = { id: "more", source: { kind: "image" as const, path, format: "raw" as const } };
  await host.diskPlug?.attach(id, more);
  const ids = async (): Promise<string[]> => (await host.findMachine(id)).disks.map((disk) => disk.id);
  assert.deepEqual(await ids(), ["sys", "a", "b", "plain", "more"]);
  const device = "/dev/$(basename $(dirname $(grep -lx more /sys/block/*/serial)))";
  await waitFor("the disk in the guest", () => shell(`test -b ${device} && echo y`).catch(() => undefined), 120_000);
  assert.match(await session.virsh("dumpxml", id, "--inactive"), /<serial>more<\/serial>/);
  await assert.rejects(async () => host.diskPlug?.attach(id, more), { code: "DisksShareIdentity" });
  await host.diskPlug?.detach(id, "more");
  assert.deepEqual(await ids(), ["sys", "a", "b", "plain"]);
  assert.doesNotMatch(await session.virsh("dumpxml", id, "--inactive"), /<serial>more<\/serial>/);
  await assert.rejects(async () => host.diskPlug?.detach(id, "more"), { code: "DiskNotFound" });
});

test("libvirt's daemon killed in the middle: the point stays readable, and the next one cleans up", async () => {
  const taken = await take({ point: "orphan" });
  await session.killDaemon();
  assert.equal((await readWhole(diskOf(taken, "b"))).length, 64 * 1024 * 1024);
  await assert.rejects(taken.abandon(), { code: "LibvirtUnreachable" });
  await session.startDaemon();
  const report = await host.cleanUp();
  assert.deepEqual(report.failures, []);
  assert.ok(report.removed.some((line) => line.includes("backup")));
  assert.deepEqual(traces(), []);
  await shell("date >/mnt/a/alive && sync");
  await using again = await take({ point: "p4", consistency: "fileSystem" });
  assert.equal(again.consistency.level, "fileSystem");
  await again.commit();
});

test("an overlay at its limit ends the snapshot, and the guest's writes go on", async () => {
  await shell("dd if=/dev/zero of=/mnt/a/big bs=1M count=24 2>/dev/null; sync");
  await using taken = await take({ point: "full", overlayLimitBytes: 4 * 1024 * 1024 });
  const lost = once(taken.lost, "abort");
  await shell("dd if=/dev/urandom of=/mnt/a/big bs=1M count=24 conv=notrunc 2>/dev/null; sync");
  await lost;
  assert.equal((taken.lost.reason as { code: string }).code, "SnapshotOverlayFull");
  await assert.rejects(taken.commit(), { code: "SnapshotOverlayFull" });
  await taken.abandon();
  await shell("date >/mnt/a/alive && sync");
  assert.deepEqual(traces(), []);
});

test("QEMU killed: the session says so, and the next point compares whole disks", async () => {
  const machine = await host.findMachine(id);
  const sizes = Object.fromEntries(machine.disks.map((disk) => [disk.id, disk.sizeBytes]));
  {
    await using taken = await take({ point: "p5" });
    await taken.commit();
  }
  const taken = await take({ point: "dying", since: { point: "p5", sizes } });
  const lost = once(taken.lost, "abort");
  process.kill(Number(execFileSync("pgrep", ["-f", `guest=g 0001.*${id}`], { encoding: "utf8" }).trim()), "SIGKILL");
  await lost;
  await assert.rejects(openDisk(diskOf(taken, "a")), { code: "NbdUnreachable" });
  await taken.abandon();
  assert.deepEqual(traces(), []);
  await host.lifecycle?.start(id);
  await untilAgent();
  await using next = await take({ point: "p6", since: { point: "p5", sizes } });
  for (const { changes } of next.disks) assert.equal(changes.known, false);
  await next.commit();
});

test("a machine made by Holdfast starts, is stopped, and is forgotten with its images left", async () => {
  const definition = {
    name: "made-here",
    id: "7a6dd2a5-7d5c-4d34-9f04-6e3f7e0a0002",
    memoryBytes: 192 << 20,
    processors: 1,
    network: "none" as const,
    disks: [
      {
        id: "sys",
        source: { kind: "image" as const, path: join(session.folder, "images", `${id}-plain`), format: "raw" as const },
      },
    ],
  };
  await host.lifecycle?.stop(id, 0);
  await host.lifecycle?.define(definition);
  await assert.rejects(async () => host.lifecycle?.define(definition), { code: "MachineExists" });
  await host.lifecycle?.start(definition.id);
  assert.equal((await host.findMachine(definition.id)).powerState, "running");
  await assert.rejects(async () => host.lifecycle?.undefine(definition.id), { code: "MachineRunning" });
  await host.lifecycle?.stop(definition.id, 0);
  await host.lifecycle?.undefine(definition.id);
  await assert.rejects(host.findMachine(definition.id), { code: "MachineNotFound" });
  assert.ok(readdirSync(join(session.folder, "images")).includes(`${id}-plain`));
});

test("a daemon that is not there is named", async () => {
  await assert.rejects(openLibvirtHost({ uri: "qemu+unix:///session?socket=/nowhere" }), {
    code: "LibvirtUnreachable",
  });
});
