// A machine that Holdfast makes on a libvirt host: it runs from a recovery point at once, comes home
// while it runs, starts again without the point, and takes other images for its disks.

import assert from "node:assert/strict";
import { chmodSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runInGuest } from "../../src/guest/programs.ts";
import { openLibvirtHost } from "../../src/hosts/libvirt/host.ts";
import { ensureOverlay } from "../../src/hosts/qemu/launch.ts";
import { serveImages } from "../../src/hosts/storage-daemon.ts";
import { newGuid } from "../../src/lib/random.ts";
import { waitFor } from "../../src/lib/time.ts";
import { connectNbd } from "../../src/nbd/client.ts";
import { serveNbd } from "../../src/nbd/server.ts";
import { guestImage } from "./guest-image.ts";
import { startLibvirtSession } from "./libvirt-session.ts";

test("a machine of libvirt comes home while it runs, starts again without us, and takes other images", async () => {
  await using session = await startLibvirtSession();
  const host = await openLibvirtHost({ uri: session.uri, scratchFolder: session.scratchFolder });
  const { lifecycle } = host;
  assert.ok(lifecycle !== undefined);
  const image = await guestImage();
  const id = newGuid();
  const place = (name: string): string => join(session.folder, "images", name);
  /** Where the session's user may read it. */
  const handOver = (from: string, name: string): string => {
    copyFileSync(from, place(name));
    session.give(place(name));
    return place(name);
  };
  const shell = (command: string): Promise<string> =>
    host.withAgent(id, async (agent) => (await runInGuest(agent, { path: "/bin/sh", args: ["-c", command] })).stdout);
  const untilUp = (): Promise<string> =>
    waitFor("the agent", () => shell("cat /proc/uptime").catch(() => undefined), 120_000);
  try {
    const socketPath = join(session.folder, "point.sock");
    {
      await using images = await serveImages(
        [{ path: image.disks.sys, format: "qcow2", isWritable: false }],
        session.folder,
      );
      const contexts = ["base:allocation"];
      await using point = await connectNbd({
        ...images.address,
        exportName: images.exportNames[0] ?? "",
        metaContexts: contexts,
      });
      await using _server = await serveNbd({
        listen: { socketPath },
        exports: [
          {
            name: "sys",
            size: point.size,
            readOnly: true,
            read: (into, offset, signal) => point.read(into, offset, signal),
            extents: (offset, length, signal) => point.blockStatus(offset, length, "base:allocation", signal),
          },
        ],
      });
      chmodSync(socketPath, 0o777);
      const source = {
        kind: "point" as const,
        address: { socketPath },
        exportName: "sys",
        overlayPath: place("home.qcow2"),
      };
      await ensureOverlay(source, undefined);
      session.give(source.overlayPath);
      await lifecycle.define({
        name: "restored",
        id,
        memoryBytes: 192 * 1024 * 1024,
        processors: 1,
        network: "none",
        disks: [{ id: "sys", source }],
        kernel: {
          path: handOver(image.kernelPath, "vmlinuz"),
          initrdPath: handOver(image.initrdPath, "initrd"),
          commandLine: image.commandLine,
        },
      });
      await lifecycle.start(id);
      await untilUp();
      await shell("echo kept >/root/note; sync");
      await lifecycle.bringHome(id, "sys");
    }
    // Our server is gone now.
    assert.equal(await shell("cat /root/note"), "kept\n");
    // This guest does not hear the power button.
    await lifecycle.stop(id, 500);
    await lifecycle.start(id);
    await untilUp();
    assert.equal(await shell("cat /root/note"), "kept\n");

    const other = { kind: "image" as const, path: handOver(image.disks.sys, "other.qcow2"), format: "qcow2" as const };
    await assert.rejects(lifecycle.replaceDisks(id, { sys: other }), { code: "MachineRunning" });
    await lifecycle.stop(id, 0);
    await assert.rejects(lifecycle.replaceDisks(id, { none: other }), { code: "DiskNotFound" });
    await lifecycle.replaceDisks(id, { sys: other });
    await lifecycle.start(id);
    await untilUp();
    assert.equal(await shell("cat /root/note 2>/dev/null || echo none"), "none\n");
    assert.equal((await host.findMachine(id)).disks[0]?.path, other.path);
    await lifecycle.stop(id, 0);
    await lifecycle.undefine(id);
  } finally {
    await host.close();
  }
});
