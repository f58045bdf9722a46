// Captures of a real guest that keeps writing: every point of the chain is, byte for byte, what its
// snapshot showed; a full overlay, a QEMU that dies and a process that is killed leave whole points
// only, and a guest that runs on.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { captureMachine, type Captured, type CaptureRequest } from "../../../src/backup/capture/index.ts";
import type { Host } from "../../../src/hosts/host.ts";
import { connectQmp } from "../../../src/hosts/qemu/qmp.ts";
import { openFsStore } from "../../../src/store/backends/fs.ts";
import {
  createVault,
  keyFromBytes,
  listPoints,
  openVault,
  type ObjectStore,
  type Vault,
} from "../../../src/store/index.ts";
import { restore } from "../../../src/store/testing/vaults.ts";
import { isLong } from "../../guests/long.ts";
import { deviceOf, digest, newDisk, readWhole, startRig, untilAgentAnswers, type Rig } from "../../guests/rig.ts";
import { controlSocket, startGuest } from "../../guests/running-guest.ts";

const points = isLong ? 30 : 4;
const key = Buffer.alloc(32, 3);
let folder: string;
let place: ObjectStore;
let vault: Vault;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-capture-"));
  place = await openFsStore(join(folder, "store"), { create: true });
  await createVault(place, keyFromBytes(key));
  vault = await openVault(place, keyFromBytes(key));
});
after(async () => {
  await vault[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** A host that reads each snapshot whole before the capture does; the system disk only where `all` is asked for. */
function witnessed(host: Host, seen: Map<string, string>, all: boolean): Host {
  return {
    ...host,
    snapshot: async (id, request, signal) => {
      const session = await host.snapshot(id, request, signal);
      for (const disk of session.disks)
        if (all || disk.disk.id !== "sys") seen.set(disk.disk.id, digest(await readWhole(disk)));
      return session;
    },
  };
}

function capture(rig: Rig, item: string, more: Partial<CaptureRequest> = {}): Promise<Captured> {
  const { host, machine } = rig;
  return captureMachine({
    host,
    machineId: machine.id,
    vault,
    item,
    chain: `chain-${item}`,
    consistency: "fileSystem",
    ...more,
  });
}

/** Captures, and compares each disk of the point with what the snapshot showed. */
async function captureAndCompare(
  rig: Rig,
  item: string,
  more: Partial<CaptureRequest> = {},
  all = isLong,
): Promise<Captured> {
  const seen = new Map<string, string>();
  const captured = await capture(rig, item, { ...more, host: witnessed(rig.host, seen, all) });
  assert.equal(seen.size, captured.point.disks.length - (all ? 0 : 1));
  for (const [disk, expected] of seen)
    assert.equal(digest(await restore(vault, captured.point, disk)), expected, `${captured.point.name}, ${disk}`);
  return captured;
}

function writeAlways(rig: Rig, ...places: string[]): Promise<string> {
  const once = places
    .map((path) => `dd if=/dev/urandom of=${path} bs=4k count=8 seek=$((i * 37 % 4000)) conv=notrunc 2>/dev/null`)
    .join("; ");
  return rig.shell(
    `setsid sh -c 'i=0; while :; do i=$((i + 1)); ${once}; sleep 0.2; done' </dev/null >/dev/null 2>&1 &`,
  );
}

async function writesGoOn(rig: Rig): Promise<void> {
  await rig.shell("dd if=/dev/zero of=/mnt/a/alive bs=4k count=1 conv=fsync 2>/dev/null");
}

test(`a chain of ${points} points under load equals its snapshots, with disks left out and attempts given up`, async () => {
  await using rig = await startRig({ extraDisks: [newDisk(folder, "raw", 16)] });
  await writeAlways(rig, "/mnt/a/x", "/mnt/b/x", deviceOf("raw"));
  for (let number = 1; number <= points; number += 1) {
    if (number % 3 === 0) {
      const giveUp = new AbortController();
      const { host, machine } = rig;
      const request = {
        host,
        machineId: machine.id,
        vault,
        item: "load",
        chain: "chain-load",
        consistency: "crash",
      } as const;
      const reason = new Error("given up");
      const onSnapshot = (): void => giveUp.abort(reason);
      await assert.rejects(captureMachine({ ...request, onSnapshot }, giveUp.signal), reason);
    }
    const isCrash = number % 2 === 0;
    const captured = await captureAndCompare(
      rig,
      "load",
      { consistency: isCrash ? "crash" : "application" },
      number === points,
    );
    assert.equal(captured.facts.consistency.level, isCrash ? "crash" : "fileSystem");
    // How fast a busy guest lets itself be read is another matter.
    assert.deepEqual(
      captured.remarks.filter(({ code }) => code !== "ReadingSlowed"),
      [],
    );
    const expected = number === 1 ? "FirstPoint" : "known";
    assert.deepEqual(
      captured.disks.map(({ changes }) => changes),
      captured.disks.map(() => expected),
    );
    if (number > 1) assert.ok(captured.bytesRead < 64 * 1024 * 1024, `${captured.bytesRead} bytes were read`);
  }
  const { points: listed, problems, gaps } = await listPoints(vault, "load");
  assert.deepEqual([listed.length, problems, gaps], [points, [], []]);

  const partly = await captureAndCompare(rig, "partly", { disks: { kind: "exclude", luns: [0] } });
  assert.deepEqual(partly.point.disks.map(({ name }) => name).sort(), ["b", "raw", "sys"]);

  await assert.rejects(
    capture(rig, "load", {
      overlayLimitBytes: 512 * 1024,
      onSnapshot: () =>
        rig.shell("dd if=/dev/urandom of=/mnt/a/big bs=1M count=16 conv=fsync 2>/dev/null").then(() => {}),
    }),
    { code: "SnapshotOverlayFull" },
  );
  await writesGoOn(rig);

  for (const arrow of ["snapshot.after-cut", "capture.snapshot-open", "capture.after-point"]) {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, "capture-program.ts"), rig.folder, join(folder, "store"), key.toString("hex")],
      { env: { ...process.env, HOLDFAST_FAULTS: `${arrow}=kill` }, stdio: ["ignore", "inherit", "inherit"] },
    );
    const [, signal] = await once(child, "exit");
    assert.equal(signal, "SIGKILL", arrow);
    await writesGoOn(rig);
    const next = await captureAndCompare(rig, "load");
    assert.deepEqual(next.remarks, [], arrow);
    assert.ok(next.bytesRead < 64 * 1024 * 1024, `${arrow}: ${next.bytesRead} bytes were read`);
  }

  const before = (await listPoints(vault, "load")).points.length;
  await assert.rejects(capture(rig, "load", { onSnapshot: () => rig.guest.kill() }), { code: "MonitorLost" });
  assert.equal((await listPoints(vault, "load")).points.length, before);
});

test("a record of changes that a crash of the machine made unreliable is told of, and the point is right", async () => {
  await using rig = await startRig({ templates: ["sys", "a"] });
  await captureAndCompare(rig, "crash");
  {
    using qmp = await connectQmp(controlSocket(rig.folder));
    await qmp.command("quit").catch(() => {});
  }
  await rig.guest.kill();
  {
    // It loads the bitmaps from the images, changes a disk, and dies without storing them.
    await using again = await startGuest({ folder: rig.folder, templates: ["sys", "a"], keepDisks: true });
    await untilAgentAnswers(rig);
    await rig.shell("dd if=/dev/urandom of=/mnt/a/y bs=64k count=4 conv=fsync 2>/dev/null");
    await again.kill();
  }
  await using _last = await startGuest({ folder: rig.folder, templates: ["sys", "a"], keepDisks: true });
  const captured = await captureAndCompare(rig, "crash", { consistency: "crash" });
  assert.deepEqual(
    captured.remarks.map(({ code, severity, disk }) => [code, severity, disk]),
    [
      ["BitmapInconsistent", "warning", "sys"],
      ["BitmapInconsistent", "warning", "a"],
    ],
  );
  const next = await captureAndCompare(rig, "crash", { consistency: "crash" });
  assert.deepEqual(next.remarks, []);
});
