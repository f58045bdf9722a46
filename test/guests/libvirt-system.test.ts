// The system's own libvirt (`qemu:///system`), whose QEMU runs as another user: in the campaign only, for
// it is the machine's one and only. Machines of others on it are left alone.

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runInGuest } from "../../src/guest/programs.ts";
import type { Host, SnapshotRequest } from "../../src/hosts/host.ts";
import { openLibvirtHost } from "../../src/hosts/libvirt/host.ts";
import { run } from "../../src/lib/processes.ts";
import { newGuid } from "../../src/lib/random.ts";
import { waitFor } from "../../src/lib/time.ts";
import { tinyDomain } from "./libvirt-session.ts";
import { isLong } from "./long.ts";
import { applyChanges, digest, readWhole } from "./rig.ts";

const uri = "qemu:///system";
const ids = { persistent: newGuid(), transient: newGuid() };
/** Those that we had to start. */
const daemons: ChildProcess[] = [];
let folder: string;
let host: Host;

const virsh = async (...args: string[]): Promise<string> =>
  (await run("virsh", ["-q", "-c", uri, ...args], { timeoutMilliseconds: 60_000 })).stdout.trim();
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
    await waitFor("libvirt", answers, 30_000);
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
