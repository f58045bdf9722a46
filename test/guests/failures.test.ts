// What goes wrong in the middle of a snapshot costs the snapshot, never the guest.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { z } from "zod";
import type { SnapshotRequest, SnapshotSession } from "../../src/hosts/host.ts";
import { connectQmp } from "../../src/hosts/qemu/qmp.ts";
import { waitFor } from "../../src/lib/time.ts";
import { controlSocket, startGuest } from "./running-guest.ts";
import { openDisk, readWhole, startRig, untilAgentAnswers, type Rig } from "./rig.ts";

let rig: Rig;
before(async () => {
  rig = await startRig();
});
after(() => rig[Symbol.asyncDispose]());

function take(request: Partial<SnapshotRequest> = {}): Promise<SnapshotSession> {
  return rig.host.snapshot(rig.machine.id, { consistency: "crash", chain: "test", point: "p", ...request });
}

/** Whatever in QEMU or in the scratch folder carries our name. */
async function traces(): Promise<string[]> {
  using qmp = await connectQmp(controlSocket(rig.folder));
  const found: string[] = [];
  for (const query of ["query-block-exports", "query-block-jobs", "query-named-block-nodes", "query-block"]) {
    const text = JSON.stringify(await qmp.command(query));
    found.push(...(text.match(/holdfast\.[\w.-]+/g) ?? []));
  }
  return [...found, ...readdirSync(join(rig.folder, ".holdfast"))];
}

async function guestWrites(): Promise<void> {
  await untilAgentAnswers(rig);
  await rig.shell("date >/mnt/a/alive && date >/mnt/b/alive && sync");
}

test("a snapshot that is given up leaves nothing behind", async () => {
  const session = await take();
  assert.ok((await traces()).length > 0);
  await session.abandon();
  assert.deepEqual(await traces(), []);
});

for (const fault of ["snapshot.before-cut=kill", "snapshot.frozen=kill", "snapshot.after-cut=kill", "none"]) {
  test(`our process killed (${fault}): the next one cleans up and backs up, the guest writes all along`, async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "half-done.ts"), rig.folder, rig.machine.id], {
      env: { ...process.env, HOLDFAST_FAULTS: fault === "none" ? "" : fault },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(child, "exit");
    if (fault === "none") {
      await once(child.stdout, "data");
      child.kill("SIGKILL");
    }
    const timer = setTimeout(() => child.kill(), 120_000);
    await exited;
    clearTimeout(timer);
    assert.equal(child.signalCode, "SIGKILL");
    assert.ok((await traces()).length > 0);
    const leavesFrozen = fault === "snapshot.frozen=kill";
    if (!leavesFrozen) await guestWrites();
    const report = await rig.host.cleanUp();
    assert.deepEqual(report.thawed, leavesFrozen ? ["guest"] : []);
    await guestWrites();
    assert.deepEqual(report.failures, []);
    assert.ok(report.removed.length > 0);
    await using session = await take({ chain: "killed", consistency: "fileSystem" });
    assert.equal(session.consistency.level, "fileSystem");
    await session.abandon();
    assert.deepEqual(await traces(), []);
  });
}

test("an overlay at its limit ends the snapshot, and the guest's writes go on", async () => {
  await rig.shell("dd if=/dev/zero of=/mnt/a/big bs=1M count=24 2>/dev/null; sync");
  await using session = await take({ overlayLimitBytes: 4 * 1024 * 1024 });
  const lost = once(session.lost, "abort");
  await rig.shell("dd if=/dev/urandom of=/mnt/a/big bs=1M count=24 conv=notrunc 2>/dev/null; sync");
  await lost;
  assert.equal((session.lost.reason as { code: string }).code, "SnapshotOverlayFull");
  await assert.rejects(session.commit(), { code: "SnapshotOverlayFull" });
  await session.abandon();
  await guestWrites();
  assert.deepEqual(await traces(), []);
});

test("bitmaps, exports and NBD servers of others are left alone", async () => {
  using qmp = await connectQmp(controlSocket(rig.folder));
  await qmp.command("block-dirty-bitmap-add", { node: "a", name: "somebody-elses" });
  await qmp.command("nbd-server-start", { addr: { type: "unix", data: { path: join(rig.folder, "theirs.sock") } } });
  await qmp.command("block-export-add", { type: "nbd", id: "theirs", "node-name": "b", name: "theirs" });
  qmp.close();
  await assert.rejects(take(), { code: "QemuRefused", message: /NBD server/ });
  assert.deepEqual(await traces(), []);
  using again = await connectQmp(controlSocket(rig.folder));
  const exports = z.array(z.object({ id: z.string() })).parse(await again.command("query-block-exports"));
  assert.deepEqual(
    exports.map(({ id }) => id),
    ["theirs"],
  );
  await again.command("nbd-server-stop");
  await again.command("block-dirty-bitmap-remove", { node: "a", name: "somebody-elses" });
});

test("only the disks asked for are taken; unknown ones and second snapshots are refused by name", async () => {
  await assert.rejects(take({ disks: ["nowhere"] }), { code: "DiskNotFound", message: /it has: sys, a, b/ });
  await assert.rejects(take({ point: "$(reboot)" }), { code: "HostSettingsInvalid" });
  await using session = await take({ disks: ["sys", "b"] });
  assert.deepEqual(
    session.disks.map(({ disk }) => [disk.id, disk.lun]),
    [
      ["sys", -1],
      ["b", 1],
    ],
  );
  await assert.rejects(take(), { code: "SnapshotInProgress" });
});

test("a paused machine is backed up crash consistent, and stays paused", async () => {
  using qmp = await connectQmp(controlSocket(rig.folder));
  await qmp.command("stop");
  qmp.close();
  await using session = await take({ consistency: "fileSystem" });
  assert.equal(session.consistency.level === "crash" && session.consistency.reason, "MachineNotRunning");
  await session.abandon();
  using again = await connectQmp(controlSocket(rig.folder));
  assert.match(JSON.stringify(await again.command("query-status")), /"paused"/);
  await again.command("cont");
});

test("a guest that reboots in the middle loses nothing", async () => {
  await using session = await take({ disks: ["a"] });
  const [disk] = session.disks;
  assert.ok(disk !== undefined);
  const first = await readWhole(disk);
  await rig.shell("reboot -f &").catch(() => {});
  await untilAgentAnswers(rig);
  await rig.shell("dd if=/dev/urandom of=/mnt/a/after bs=64k count=16 2>/dev/null; sync");
  assert.ok((await readWhole(disk)).equals(first));
  await session.commit();
});

test("a guest cannot be migrated in the middle and runs on; one that has moved is not read where it was", async () => {
  const session = await take({ disks: ["a"] });
  using qmp = await connectQmp(controlSocket(rig.folder));
  const status = z.object({ status: z.string() });
  const migrate = async (): Promise<string> => {
    await qmp.command("migrate", { uri: "exec:cat >/dev/null" });
    const ended = async (): Promise<string | undefined> => {
      const now = status.parse(await qmp.command("query-migrate")).status;
      return now === "completed" || now === "failed" ? now : undefined;
    };
    return waitFor("the end of the migration", ended, 120_000);
  };
  assert.equal(await migrate(), "failed");
  await guestWrites();
  await readWhole(session.disks[0]!);
  await session.commit();
  assert.equal(await migrate(), "completed");
  await assert.rejects(take(), { code: "MachineMoved" });
  // Nobody took it over.
  await qmp.command("cont");
  await guestWrites();
});

test("QEMU killed in the middle: the session says so, leaves no files, and the next start is backed up in full", async () => {
  const session = await take({ point: "dying" });
  const [disk] = session.disks;
  assert.ok(disk !== undefined);
  const lost = once(session.lost, "abort");
  await rig.guest.kill();
  await lost;
  await assert.rejects(openDisk(disk), { code: "NbdUnreachable" });
  await session.abandon();
  assert.deepEqual(readdirSync(join(rig.folder, ".holdfast")), []);
  const [machine] = await rig.host.listMachines();
  assert.deepEqual([machine?.id, machine?.powerState, machine?.disks.length], [rig.machine.id, "stopped", 3]);
  assert.match(machine?.problem ?? "", /No QEMU monitor can be reached/);
  await assert.rejects(take(), { code: "MonitorUnreachable" });

  await using _again = await startGuest({ folder: rig.folder, keepDisks: true });
  await using next = await take({ point: "next", since: { point: "p", sizes: { a: 1, b: 1, sys: 1 } } });
  assert.deepEqual(
    next.disks.map(({ changes }) => changes.known || changes.reason),
    ["BitmapLost", "BitmapLost", "BitmapLost"],
  );
});
