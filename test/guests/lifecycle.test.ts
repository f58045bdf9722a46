// A machine that Holdfast defines and runs itself, from a recovery point behind our own NBD server.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openQemuHost } from "../../src/hosts/qemu/host.ts";
import { serveImages } from "../../src/hosts/storage-daemon.ts";
import { newGuid } from "../../src/lib/random.ts";
import { waitFor } from "../../src/lib/time.ts";
import { connectNbd } from "../../src/nbd/client.ts";
import { serveNbd } from "../../src/nbd/server.ts";
import { guestImage } from "./guest-image.ts";
import { runInGuest } from "../../src/guest/programs.ts";
import { newDisk } from "./rig.ts";

test("a machine runs from an export of ours at once, comes home while it runs, starts again without us, and lets disks go", async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-guests-"));
  const image = await guestImage();
  const host = openQemuHost({ socketFolder: folder, accelerator: "tcg" });
  const { lifecycle } = host;
  assert.ok(lifecycle !== undefined);
  const id = newGuid();
  const shell = (command: string): Promise<string> =>
    host.withAgent(id, async (agent) => (await runInGuest(agent, { path: "/bin/sh", args: ["-c", command] })).stdout);
  const untilUp = (): Promise<string> =>
    waitFor("the agent", () => shell("cat /proc/uptime").catch(() => undefined), 120_000);
  const { path, format } = newDisk(folder, "data", 8);
  const data = { id: "data", source: { kind: "image" as const, path, format } };
  const seen = async (): Promise<string[]> => (await shell("grep -h . /sys/block/vd*/serial")).trim().split("\n");
  const known = async (): Promise<string[]> => (await host.findMachine(id)).disks.map((disk) => disk.id);
  try {
    const socketPath = join(folder, "point.sock");
    {
      // The "recovery point": the guest's system disk, passed on by our own server.
      await using images = await serveImages([{ path: image.disks.sys, format: "qcow2", isWritable: false }], folder);
      await using point = await connectNbd({
        ...images.address,
        exportName: images.exportNames[0] ?? "",
        metaContexts: ["base:allocation"],
      });
      let readBytes = 0;
      await using _server = await serveNbd({
        listen: { socketPath },
        exports: [
          {
            name: "sys",
            size: point.size,
            readOnly: true,
            read: (into, offset, signal) => {
              readBytes += into.length;
              return point.read(into, offset, signal);
            },
            extents: (offset, length, signal) => point.blockStatus(offset, length, "base:allocation", signal),
          },
        ],
      });
      await lifecycle.define({
        name: "restored",
        id,
        memoryBytes: 192 * 1024 * 1024,
        processors: 1,
        network: "none",
        disks: [
          {
            id: "sys",
            source: {
              kind: "point",
              address: { socketPath },
              exportName: "sys",
              overlayPath: join(folder, "sys.qcow2"),
            },
          },
          data,
        ],
        kernel: {
          path: image.kernelPath,
          initrdPath: image.initrdPath,
          commandLine: image.commandLine,
        },
      });
      assert.deepEqual(
        (await host.listMachines()).map(({ name, powerState }) => [name, powerState]),
        [["restored", "stopped"]],
      );
      await assert.rejects(
        lifecycle.define({ ...JSON.parse(readFileSync(join(folder, ".holdfast/machines/restored.json"), "utf8")) }),
        { code: "MachineExists" },
      );
      await lifecycle.start(id);
      await assert.rejects(lifecycle.start(id), { code: "MachineRunning" });
      await untilUp();
      assert.ok(readBytes < 64 * 1024 * 1024, `${readBytes} bytes were read to boot`);
      await shell("echo kept >/root/note; sync");
      await lifecycle.bringHome(id, "sys");
    }
    // Our server is gone now.
    assert.equal(await shell("cat /root/note"), "kept\n");
    // This guest does not hear the power button.
    await lifecycle.stop(id, 500);
    const [stopped] = await host.listMachines();
    assert.deepEqual([stopped?.id, stopped?.powerState], [id, "stopped"]);
    await lifecycle.start(id);
    await untilUp();
    assert.equal(await shell("cat /root/note"), "kept\n");

    // What it was started with leaves it while it runs, as does what came later; the next start knows.
    await host.diskPlug?.detach(id, "data");
    assert.deepEqual([await known(), await seen()], [["sys"], ["sys"]]);
    await host.diskPlug?.attach(id, data);
    await waitFor("the disk in the guest", async () => ((await seen()).includes("data") ? true : undefined), 120_000);
    await lifecycle.restart(id);
    await untilUp();
    assert.deepEqual(
      [await known(), await seen()],
      [
        ["sys", "data"],
        ["sys", "data"],
      ],
    );
    await host.diskPlug?.detach(id, "data");
    assert.deepEqual(await seen(), ["sys"]);
    await lifecycle.stop(id, 0);
    await lifecycle.undefine(id);
    assert.ok(!existsSync(join(folder, ".holdfast/machines/restored.json")));
  } finally {
    await lifecycle.stop(id, 0).catch(() => {});
    rmSync(folder, { recursive: true, force: true });
  }
});
