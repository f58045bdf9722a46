// Restore points of a running guest through the service: what was asked for, what was reached, and that
// the frozen file systems are clean.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openQemuHost } from "../../../src/hosts/qemu/host.ts";
import { waitFor } from "../../../src/lib/time.ts";
import { startGuest } from "../../guests/running-guest.ts";
import { startDiskRig } from "../support.ts";

const guid = "7d5a8f3c-1f0e-4a57-9f0b-0a4b9a3c2d11";

test("a guest with an agent gets file system consistent points, or crash consistent ones where they are asked for", async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-disks-"));
  try {
    await using rig = await startDiskRig();
    await using _guest = await startGuest({ folder, name: "live", moreArguments: ["-uuid", guid] });
    await untilAgentAnswers(folder);
    await rig.ask("PUT", `${rig.group}/providers/Microsoft.Holdfast/hosts/qemu`, 201, {
      location: "local",
      properties: { kind: "qemu", socketDirectory: folder },
    });
    const collection = rig.compute("restorePointCollections/live");
    const source = { id: rig.compute("virtualMachines/live") };
    await rig.ask("PUT", collection, 201, { location: "local", properties: { source } });

    const best = `${collection}/restorePoints/best`;
    const ended = await rig.follow("PUT", best, 201, {});
    assert.equal(ended.status, "Succeeded", JSON.stringify(ended));
    const { properties } = (await rig.ask("GET", `${best}?$expand=instanceView`, 200)).json;
    assert.equal(properties.consistencyMode, "FileSystemConsistent", JSON.stringify(properties.instanceView.statuses));
    const crash = `${collection}/restorePoints/crash`;
    assert.equal(
      (await rig.follow("PUT", crash, 201, { properties: { consistencyMode: "CrashConsistent" } })).status,
      "Succeeded",
    );
    assert.equal((await rig.ask("GET", crash, 200)).json.properties.consistencyMode, "CrashConsistent");

    const [a] = properties.sourceMetadata.storageProfile.dataDisks;
    const creationData = { createOption: "Restore", sourceResourceId: a.diskRestorePoint.id };
    const disk = rig.compute("disks/a");
    assert.equal(
      (await rig.follow("PUT", disk, 202, { location: "local", properties: { creationData } })).status,
      "Succeeded",
    );
    const { uniqueId } = (await rig.ask("GET", disk, 200)).json.properties;
    const image = join(rig.service.data, "disks", `${uniqueId}.raw`);
    execFileSync("/usr/sbin/e2fsck", ["-fn", image], { stdio: "pipe" });
    const features = execFileSync("/usr/sbin/dumpe2fs", ["-h", image], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    assert.doesNotMatch(features, /needs_recovery/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

async function untilAgentAnswers(socketFolder: string): Promise<void> {
  const host = openQemuHost({ socketFolder });
  await waitFor(
    "the guest's agent",
    async () => {
      const [machine] = await host.listMachines();
      if (machine === undefined) return undefined;
      const asked = host.withAgent(machine.id, (agent) => agent.command("guest-ping"));
      return asked.then(
        () => true,
        () => undefined,
      );
    },
    120_000,
    500,
  );
  await host.close();
}
