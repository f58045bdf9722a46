// A chain of points of a guest that keeps writing: each one, put together from the last and from what
// its bitmap calls changed, is byte for byte what the snapshot shows.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openImagesHost } from "../../src/hosts/images/host.ts";
import type { SnapshotRequest } from "../../src/hosts/host.ts";
import { connectQmp } from "../../src/hosts/qemu/qmp.ts";
import { listBlockDevices } from "../../src/hosts/qemu/block-devices.ts";
import { controlSocket, startGuest } from "./running-guest.ts";
import { isLong } from "./long.ts";
import { deviceOf, newDisk, sizesOf, startRig, takePoint, type Rig } from "./rig.ts";

const points = isLong ? 30 : 4;
const chain = "backup";

async function bitmapNames(rig: Rig): Promise<string[]> {
  using qmp = await connectQmp(controlSocket(rig.folder));
  return (await listBlockDevices(qmp)).flatMap(({ id, bitmaps }) => bitmaps.map(({ name }) => `${id}: ${name}`)).sort();
}

test("every point of a chain under load equals its snapshot, abandoned attempts and a grown disk included", async () => {
  const images = mkdtempSync(join(tmpdir(), "holdfast-increments-"));
  try {
    const old = join(images, "old.qcow2");
    execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", "-o", "compat=0.10", old, "16M"]);
    await using rig = await startRig({
      extraDisks: [newDisk(images, "raw", 16), { name: "old", path: old, format: "qcow2" }],
    });
    const writer = ["/mnt/a/x", "/mnt/b/x", deviceOf("raw"), deviceOf("old")]
      .map((path) => `dd if=/dev/urandom of=${path} bs=4k count=8 seek=$((i * 37 % 4000)) conv=notrunc 2>/dev/null`)
      .join("; ");
    await rig.shell(
      `setsid sh -c 'i=0; while :; do i=$((i + 1)); ${writer}; sleep 0.05; done' </dev/null >/dev/null 2>&1 &`,
    );

    const copies = new Map<string, Buffer>();
    let since: SnapshotRequest["since"];
    for (let number = 1; number <= points; number += 1) {
      const point = `point-${number}`;
      const consistency = number % 2 === 0 ? "fileSystem" : "crash";
      if (number % 3 === 0)
        await takePoint(
          rig.host,
          rig.machine.id,
          copies,
          { chain, point: `lost-${number}`, since, consistency },
          false,
        );
      const taken = await takePoint(rig.host, rig.machine.id, copies, { chain, point, since, consistency }, true);
      assert.equal(taken.consistency.level, consistency);
      if (number === 1)
        assert.deepEqual(taken.reasons, {
          sys: "FirstPoint",
          a: "FirstPoint",
          b: "FirstPoint",
          raw: "FirstPoint",
          old: "FirstPoint",
        });
      else {
        assert.deepEqual(taken.reasons, {});
        assert.ok(taken.readBytes < 64 * 1024 * 1024, `${taken.readBytes} bytes were called changed`);
      }
      since = { point, sizes: sizesOf(copies) };
    }
    const expected = ["a", "b", "old", "raw", "sys"].map((id) => `${id}: holdfast.backup.point-${points}`);
    assert.deepEqual(await bitmapNames(rig), expected);

    const offline = openImagesHost({ folder: images });
    for (const { id } of await offline.listMachines()) {
      await assert.rejects(offline.snapshot(id, { consistency: "crash", chain: "c", point: "p" }), {
        code: "ImageInUse",
      });
    }

    using qmp = await connectQmp(controlSocket(rig.folder));
    await qmp.command("block_resize", { "node-name": "a", size: 80 * 1024 * 1024 });
    qmp.close();
    const grown = await takePoint(
      rig.host,
      rig.machine.id,
      copies,
      { chain, point: "grown", since, consistency: "crash" },
      true,
    );
    assert.deepEqual(grown.reasons, {});
    assert.equal(copies.get("a")?.length, 80 * 1024 * 1024);
  } finally {
    rmSync(images, { recursive: true, force: true });
  }
});

test("bitmaps outlive a clean stop where the image can keep them; a killed QEMU costs a full read of that disk", async () => {
  const images = mkdtempSync(join(tmpdir(), "holdfast-increments-"));
  try {
    const extraDisks = [newDisk(images, "raw", 4)];
    const copies = new Map<string, Buffer>();
    await using first = await startRig({ extraDisks });
    await takePoint(first.host, first.machine.id, copies, { chain, point: "one", consistency: "crash" }, true);
    await quit(first);

    let since = { point: "one", sizes: sizesOf(copies) };
    {
      await using again = await startGuest({ folder: first.folder, extraDisks, keepDisks: true });
      const taken = await takePoint(
        first.host,
        first.machine.id,
        copies,
        { chain, point: "two", since, consistency: "crash" },
        true,
      );
      assert.deepEqual(taken.reasons, { raw: "BitmapLost" });
      since = { point: "two", sizes: sizesOf(copies) };
      await again.kill();
    }
    await using _last = await startGuest({ folder: first.folder, extraDisks, keepDisks: true });
    const { reasons } = await takePoint(
      first.host,
      first.machine.id,
      copies,
      { chain, point: "three", since, consistency: "crash" },
      true,
    );
    // The bitmap was made after the last start, so nothing of it had reached the image.
    assert.deepEqual(reasons, { sys: "BitmapLost", a: "BitmapLost", b: "BitmapLost", raw: "BitmapLost" });
    assert.deepEqual(
      await bitmapNames(first),
      ["a", "b", "raw", "sys"].map((id) => `${id}: holdfast.backup.three`),
    );
  } finally {
    rmSync(images, { recursive: true, force: true });
  }
});

async function quit(rig: Rig): Promise<void> {
  using qmp = await connectQmp(controlSocket(rig.folder));
  await qmp.command("quit").catch(() => {});
  await rig.guest.kill();
}
