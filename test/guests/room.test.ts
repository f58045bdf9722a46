// Where room runs out: a guest that trims its disk while a snapshot is read, a scratch disk that is
// full, a guest whose own disk is full. The guest's writes always go on. Mounting needs root.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { vmSnapshot } from "../../src/extension/consistency-agent.ts";
import { ensureExtension } from "../../src/guest/vmsnapshot/install.ts";
import type { SnapshotDisk, SnapshotRequest, SnapshotSession } from "../../src/hosts/host.ts";
import { connectQmp } from "../../src/hosts/qemu/qmp.ts";
import type { HoldfastError } from "../../src/lib/errors.ts";
import { waitFor } from "../../src/lib/time.ts";
import { controlSocket } from "./running-guest.ts";
import { applyChanges, deviceOf, digest, newDisk, readWhole, startRig, type Rig } from "./rig.ts";

const mebibyte = 1024 ** 2;
let images: string;
let scratch: string;
let rig: Rig;

before(async () => {
  images = mkdtempSync(join(tmpdir(), "holdfast-room-"));
  scratch = join(images, "scratch");
  mkdirSync(scratch);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=192m", "holdfast-room", scratch]);
  rig = await startRig({ extraDisks: [newDisk(images, "big", 192)] }, { scratchFolder: scratch });
  // 24 files of 4 MiB.
  await rig.shell(
    `mkdir -p /tmp/big; mke2fs -q ${deviceOf("big")}; mount -t ext4 ${deviceOf("big")} /tmp/big; cd /tmp/big
     dd if=/dev/urandom of=/tmp/1 bs=64k count=64 2>/dev/null; for i in $(seq 24); do cat /tmp/1 >$i || exit; done; sync`,
    120_000,
  );
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
  execFileSync("umount", [scratch]);
  rmSync(images, { recursive: true, force: true });
});

function take(request: Partial<SnapshotRequest> = {}): Promise<SnapshotSession> {
  return rig.host.snapshot(rig.machine.id, { consistency: "crash", chain: "room", point: "p", ...request });
}

const bigOf = ({ disks }: SnapshotSession): SnapshotDisk => disks.find(({ disk }) => disk.id === "big")!;

function untilLost({ lost }: SnapshotSession): Promise<true> {
  return waitFor("the end of the snapshot", () => (lost.aborted ? true : undefined), 120_000);
}

async function guestRuns(): Promise<void> {
  using qmp = await connectQmp(controlSocket(rig.folder));
  assert.match(JSON.stringify(await qmp.command("query-status")), /"running":true/);
  await rig.shell("date >/tmp/big/alive && date >/mnt/a/alive && sync");
}

test("a guest that trims most of a disk while its snapshot is read takes no room for it, and nothing that is read changes", async () => {
  const first = await take({ point: "first", overlayLimitBytes: 16 * mebibyte });
  const before = await readWhole(bigOf(first));
  await rig.shell("cd /tmp/big && rm 1? 20 21 && sync && fstrim /tmp/big && cat /tmp/1 >new && sync");
  assert.equal(first.lost.aborted, false);
  assert.equal(digest(await readWhole(bigOf(first))), digest(before));
  await first.commit();
  await guestRuns();

  // What was written where room had been trimmed is seen by the next point.
  const sizes = Object.fromEntries(first.disks.map(({ disk, sizeBytes }) => [disk.id, sizeBytes]));
  await using second = await take({ point: "second", since: { point: "first", sizes } });
  const after = await readWhole(bigOf(second));
  assert.ok(before.length === after.length && !before.equals(after));
  assert.equal(digest((await applyChanges(bigOf(second), before)).content), digest(after));
  await second.commit();
});

test("a scratch disk that is full to its last byte costs the snapshot, not the guest; there is no new one before there is room", async () => {
  const session = await take({ point: "full" });
  using qmp = await connectQmp(controlSocket(rig.folder));
  const failures: unknown[] = [];
  qmp.onEvent(({ event, data }) => void (event === "BLOCK_IO_ERROR" && failures.push(data["nospace"])));
  const { bavail, bsize } = statfsSync(scratch);
  execFileSync("fallocate", ["-l", String(bavail * bsize), join(scratch, "theirs")]);
  const written = await rig.shell(
    "cd /tmp/big; for i in 22 23 24; do dd if=/mnt/a/alive of=$i bs=4k count=1 conv=notrunc,fsync 2>&1 && dd if=/dev/urandom of=$i bs=1M count=4 conv=notrunc,fsync 2>/dev/null || echo failed; done; md5sum 22 23 24 >/tmp/sums; echo 3 >/proc/sys/vm/drop_caches; md5sum -c /tmp/sums",
  );
  assert.doesNotMatch(written, /failed/i);
  await untilLost(session);
  const reason = session.lost.reason as HoldfastError;
  assert.equal(reason.code, "SnapshotOverlayFull");
  assert.match(reason.sentence, /Give the scratch folder more room/);
  await assert.rejects(session.commit(), { code: "SnapshotOverlayFull" });
  await session.abandon();
  qmp.close();
  // QEMU itself ran out of room, unless we saw it coming.
  assert.ok(failures.every((nospace) => nospace === true));
  await guestRuns();

  await assert.rejects(take({ point: "none" }), { code: "SnapshotOverlayFull", message: /has only \d+ bytes left/ });
  await guestRuns();
  rmSync(join(scratch, "theirs"));
  await using next = await take({ point: "again" });
  await next.commit();
});

test("with its own disk full a guest is backed up without its scripts, and a warning says why", async () => {
  const subject = { host: rig.host, machine: rig.machine };
  const prepare = async (): Promise<readonly [boolean, ...string[]]> => {
    const preparation = await vmSnapshot().prepare(subject);
    await vmSnapshot().finish(subject, preparation, {
      taken: true,
      consistency: { level: "fileSystem", frozenMilliseconds: 1, fileSystems: 1, hasWatchdog: true },
    });
    return [preparation.isAtRest, ...preparation.remarks.map(({ code, severity }) => `${severity} ${code}`)];
  };
  const fill = "dd if=/dev/zero of=/full bs=64k 2>/dev/null; dd if=/dev/zero of=/full2 bs=1k 2>/dev/null; sync";
  await rig.shell(`${fill}; df / >&2`);
  assert.deepEqual(await prepare(), [false, "warning ExtensionNotInstalled"]);
  await rig.shell("rm /full /full2");
  await rig.host.withAgent(rig.machine.id, (agent) => ensureExtension(agent));
  await rig.shell(
    `mkdir -p -m 755 /etc/azure /opt; echo 'echo ran >>/run/ran' | tee /opt/pre >/opt/post; chmod 700 /opt/pre /opt/post
     echo '{"preScriptLocation":"/opt/pre","postScriptLocation":"/opt/post"}' >/etc/azure/VMSnapshotScriptPluginConfig.json
     chmod 600 /etc/azure/*.json; ${fill}`,
  );
  assert.deepEqual(await prepare(), [false, "warning ExtensionNotWritable"]);
  await using session = await take({ point: "guest-full", consistency: "fileSystem" });
  assert.equal(session.consistency.level, "fileSystem");
  await session.abandon();
  await rig.shell("rm /full /full2");
  assert.deepEqual(await prepare(), [true]);
  await waitFor("the scripts", async () => (await rig.shell("cat /run/ran")) === "ran\nran\n" || undefined, 120_000);
});
