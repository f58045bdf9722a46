// The system's own libvirt (`qemu:///system`), whose QEMU runs as another user: in the campaign only, for
// it is the machine's one and only. Machines of others on it are left alone.

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { captureMachine } from "../../src/backup/capture/index.ts";
import { servePoint } from "../../src/backup/instant/serve-point.ts";
import { runInGuest } from "../../src/guest/programs.ts";
import type { Host, SnapshotRequest } from "../../src/hosts/host.ts";
import { throughStorage } from "../../src/hosts/libvirt/firmware.ts";
import { openLibvirtHost } from "../../src/hosts/libvirt/host.ts";
import { openVirsh } from "../../src/hosts/libvirt/virsh.ts";
import { run } from "../../src/lib/processes.ts";
import { newGuid } from "../../src/lib/random.ts";
import { waitFor } from "../../src/lib/time.ts";
import { openFsStore } from "../../src/store/backends/fs.ts";
import { createVault, keyFromBytes, openVault } from "../../src/store/index.ts";
import { hasMark, markedVariables } from "../support/uefi.ts";
import { guestImage } from "./guest-image.ts";
import { tinyDomain } from "./libvirt-session.ts";
import { isLong } from "./long.ts";
import { applyChanges, digest, newDisk, readWhole } from "./rig.ts";

const uri = "qemu:///system";
const ids = { persistent: newGuid(), transient: newGuid() };
/** Those that we had to start. */
const daemons: ChildProcess[] = [];
let folder: string;
let host: Host;

const virsh = async (...args: string[]): Promise<string> =>
  (await run("virsh", ["-q", "-c", uri, ...args], { timeoutMilliseconds: 120_000 })).stdout.trim();
const answers = (): Promise<true | undefined> =>
  virsh("uri").then(
    () => true,
    () => undefined,
  );

before(async () => {
  if (!isLong) return;
  if ((await answers()) === undefined) {
    for (const program of ["virtlogd", "libvirtd"])
      daemons.push(spawn(`/usr/sbin/${program}`, ["--config", "/dev/null"], { stdio: "ignore" }));
    await waitFor("libvirt", answers, 120_000);
  }
  folder = mkdtempSync("/var/lib/libvirt/images/holdfast-");
  chmodSync(folder, 0o755);
  host = await openLibvirtHost({ uri });
  for (const [name, define] of [
    ["persistent", "define"],
    ["transient", "create"],
  ] as const) {
    const images = join(folder, name);
    mkdirSync(images);
    const path = join(folder, `${name}.xml`);
    const disks = [
      { serial: "sys", template: "sys" },
      { serial: "a", template: "a" },
    ] as const;
    writeFileSync(path, await tinyDomain(images, (image) => chmodSync(image, 0o644), ids[name], disks));
    await virsh(define, path);
  }
  await host.lifecycle?.start(ids.persistent);
});
after(async () => {
  if (!isLong) return;
  for (const id of Object.values(ids)) await virsh("destroy", id).catch(() => {});
  await virsh("undefine", ids.persistent, "--checkpoints-metadata").catch(() => {});
  await host?.close();
  rmSync(folder, { recursive: true, force: true });
  for (const daemon of daemons.reverse()) {
    daemon.kill();
    await once(daemon, "exit");
  }
});

for (const [name, id] of Object.entries(ids)) {
  if (!isLong) break;
  void test(`a ${name} machine of the system's libvirt goes from point to point`, async () => {
    const shell = (command: string): Promise<string> =>
      host.withAgent(id, async (agent) => (await runInGuest(agent, { path: "/bin/sh", args: ["-c", command] })).stdout);
    const take = (request: Partial<SnapshotRequest>) =>
      host.snapshot(id, { consistency: "fileSystem", chain: "test", point: "p1", disks: ["a"], ...request });
    await waitFor("the agent", () => shell("cat /proc/uptime").catch(() => undefined), 120_000);
    let copy: Buffer;
    {
      await using first = await take({});
      assert.equal(first.consistency.level, "fileSystem");
      copy = await readWhole(first.disks[0]!);
      await first.commit();
    }
    await shell("dd if=/dev/urandom of=/mnt/a/one bs=64k count=16 2>/dev/null; sync");
    await using second = await take({ point: "p2", since: { point: "p1", sizes: { a: copy.length } } });
    const [taken] = second.disks;
    assert.ok(taken?.changes.known);
    const updated = await applyChanges(taken, copy);
    assert.equal(digest(updated.content), digest(await readWhole(taken)));
    assert.ok(updated.readBytes < 16 * 1024 * 1024, `${updated.readBytes} bytes`);
    await second.commit();
    assert.equal(await virsh("checkpoint-list", id, "--name"), "holdfast.test.p2");
  });
}

if (isLong)
  void test("a machine of the system's libvirt runs from a recovery point, whose folder its QEMU may enter, and comes home", async () => {
    const { lifecycle } = host;
    assert.ok(lifecycle?.makeFolder !== undefined);
    const key = keyFromBytes(Buffer.alloc(32, 7));
    await using place = await openFsStore(join(folder, "store"), { create: true });
    await createVault(place, key);
    await using vault = await openVault(place, key);
    const { point } = await captureMachine({
      host,
      machineId: ids.persistent,
      vault,
      item: "system",
      chain: "home",
      consistency: "fileSystem",
    });
    const restored = await lifecycle.makeFolder("instant-test");
    const image = await guestImage();
    const kernel = { path: join(restored, "kernel"), initrdPath: join(restored, "initrd") };
    copyFileSync(image.kernelPath, kernel.path);
    copyFileSync(image.initrdPath, kernel.initrdPath);
    for (const path of Object.values(kernel)) chmodSync(path, 0o600);
    const id = newGuid();
    const shell = (command: string): Promise<string> =>
      host.withAgent(id, async (agent) => (await runInGuest(agent, { path: "/bin/sh", args: ["-c", command] })).stdout);
    try {
      {
        await using served = await servePoint(vault, point, ["sys"], restored);
        const overlayPath = join(restored, "disk-0.qcow2");
        await lifecycle.define({
          name: `holdfast-${id.slice(0, 8)}`,
          id,
          memoryBytes: 192 * 1024 * 1024,
          processors: 1,
          network: "none",
          disks: [{ id: "sys", source: { kind: "point", address: served.address, exportName: "sys", overlayPath } }],
          kernel: { ...kernel, commandLine: image.commandLine },
        });
        await lifecycle.start(id);
        await waitFor("the agent", () => shell("cat /proc/uptime").catch(() => undefined), 300_000);
        assert.equal(statSync(restored).mode & 0o777, 0o700);
        assert.notEqual(statSync(restored).uid, 0);
        await shell("echo kept >/root/note; sync");
        await lifecycle.bringHome(id, "sys");
      }
      assert.equal(await shell("cat /root/note"), "kept\n");
    } finally {
      await lifecycle.stop(id, 0).catch(() => {});
      await lifecycle.undefine(id).catch(() => {});
      rmSync(restored, { recursive: true, force: true });
    }
  });

if (isLong)
  void test("UEFI variables that belong to the system's QEMU are in points, running and off, and a restored machine has them", async () => {
    const { lifecycle } = host;
    assert.ok(lifecycle?.makeFolder !== undefined);
    const [id, restoredId] = [newGuid(), newGuid()];
    const image = newDisk(folder, "uefi", 4).path;
    chmodSync(image, 0o644);
    const description = join(folder, "uefi.xml");
    const disk = `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${image}'/><target dev='vda' bus='virtio'/><serial>sys</serial></disk>`;
    writeFileSync(
      description,
      `<domain type='qemu'><name>holdfast-${id.slice(0, 8)}</name><uuid>${id}</uuid><memory unit='MiB'>96</memory><vcpu>1</vcpu><os firmware='efi'><type machine='q35'>hvm</type></os><features><acpi/></features><cpu mode='maximum'/><devices>${disk}<memballoon model='none'/></devices></domain>`,
    );
    await virsh("define", description);
    const restored = await lifecycle.makeFolder("uefi-test");
    const variables = async (): Promise<Buffer | undefined> => {
      await using session = await host.snapshot(id, { consistency: "crash", chain: "test", point: "p" });
      return (await session.readFirmware()).uefi?.variables;
    };
    try {
      await virsh("start", id);
      const path = /<nvram[^>]*>([^<]*)</.exec(await virsh("dumpxml", id))?.[1] ?? "";
      assert.notEqual(statSync(path).uid, 0);
      assert.ok((await variables()) !== undefined);
      await virsh("destroy", id);
      const own = markedVariables("mine");
      writeFileSync(path, own);
      assert.ok((await variables())?.equals(own));
      assert.ok((await throughStorage(openVirsh(uri), { path, format: "raw" }, undefined)).equals(own));
      const variablesPath = join(restored, "nvram");
      writeFileSync(variablesPath, own, { mode: 0o600 });
      await lifecycle.define({
        name: `holdfast-${restoredId.slice(0, 8)}`,
        id: restoredId,
        memoryBytes: 96 * 1024 * 1024,
        processors: 1,
        network: "none",
        disks: [{ id: "sys", source: { kind: "image", path: image, format: "raw" } }],
        firmware: { variablesPath, isSecureBoot: true },
      });
      await lifecycle.start(restoredId);
      assert.equal(await virsh("domstate", restoredId), "running");
      assert.ok(hasMark(readFileSync(variablesPath), "mine"));
    } finally {
      await lifecycle.stop(restoredId, 0).catch(() => {});
      await lifecycle.undefine(restoredId).catch(() => {});
      await virsh("destroy", id).catch(() => {});
      await virsh("undefine", id, "--nvram").catch(() => {});
      rmSync(restored, { recursive: true, force: true });
    }
  });
