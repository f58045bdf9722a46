// A machine with more disks than QEMU has slots: all are there, all stand at one instant. Nothing boots.

import assert from "node:assert/strict";
import { mkdtempSync, openSync, closeSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openQemuHost } from "../../src/hosts/qemu/host.ts";
import { newGuid } from "../../src/lib/random.ts";
import { newDisk, openDisk } from "./rig.ts";

test("forty disks are snapshot at once, each with its own content", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-guests-"));
  const host = openQemuHost({ socketFolder: folder, accelerator: "tcg" });
  const id = newGuid();
  const names = Array.from({ length: 40 }, (_, index) => `d${index}`);
  const disks = names.map((name) => {
    const { path, format } = newDisk(folder, name, 4);
    const file = openSync(path, "r+");
    writeSync(file, name, 512);
    closeSync(file);
    return { id: name, source: { kind: "image" as const, path, format } };
  });
  try {
    await host.lifecycle?.define({
      name: "wide",
      id,
      memoryBytes: 64 * 1024 * 1024,
      processors: 1,
      network: "none",
      disks,
    });
    await host.lifecycle?.start(id);
    await using session = await host.snapshot(id, { consistency: "crash", chain: "c", point: "p" });
    const found = await Promise.all(
      session.disks.map(async (disk) => {
        await using client = await openDisk(disk);
        const content = Buffer.alloc(8);
        await client.read(content, 512);
        return [disk.disk.id, disk.disk.lun, content.toString("latin1").replaceAll("\0", "")];
      }),
    );
    assert.deepEqual(
      found,
      names.map((name, index) => [name, index - 1, name]),
    );
    t.diagnostic(`cut in ${session.cutMilliseconds} ms`);
    await session.commit();
  } finally {
    await host.lifecycle?.stop(id, 0).catch(() => {});
    await host.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
