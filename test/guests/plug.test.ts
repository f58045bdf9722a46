// Disks come to a running machine and leave it, and the guest notices.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { waitFor } from "../../src/lib/time.ts";
import { deviceOf, newDisk, startRig, type Rig } from "./rig.ts";

let rig: Rig;
before(async () => {
  const spare = ["-device", "pcie-root-port,id=spare,chassis=1"];
  rig = await startRig({ templates: ["sys"], moreArguments: spare });
});
after(() => rig[Symbol.asyncDispose]());

const ids = async (): Promise<string[]> => (await rig.host.findMachine(rig.machine.id)).disks.map(({ id }) => id);
const image = (name: string) => {
  const { path, format } = newDisk(rig.folder, name, 8);
  return { id: name, source: { kind: "image" as const, path, format } };
};

test("a disk is there for the guest, is part of the next snapshot, and goes when the guest lets go", async () => {
  const more = image("more");
  await rig.host.diskPlug?.attach(rig.machine.id, more);
  assert.deepEqual(await ids(), ["sys", "more"]);
  const device = deviceOf("more");
  await waitFor(
    "the disk in the guest",
    () => rig.shell(`test -b ${device} && echo y`).catch(() => undefined),
    120_000,
  );
  await rig.shell(`dd if=/dev/urandom of=${device} bs=64k count=4 conv=fsync 2>/dev/null`);
  {
    await using session = await rig.host.snapshot(rig.machine.id, { consistency: "crash", chain: "c", point: "p" });
    assert.deepEqual(
      session.disks.map(({ disk }) => disk.id),
      ["sys", "more"],
    );
    await assert.rejects(async () => rig.host.diskPlug?.detach(rig.machine.id, "more"), { code: "SnapshotInProgress" });
  }
  await assert.rejects(async () => rig.host.diskPlug?.attach(rig.machine.id, more), { code: "DisksShareIdentity" });
  await assert.rejects(async () => rig.host.diskPlug?.attach(rig.machine.id, image("third")), {
    code: "NoPlaceForDisk",
  });
  await rig.host.diskPlug?.detach(rig.machine.id, "more");
  assert.deepEqual(await ids(), ["sys"]);
  assert.ok(existsSync(join(rig.folder, "more.raw")));
  // Nothing is left that would keep the image or its place.
  await rig.host.diskPlug?.attach(rig.machine.id, more);
  await rig.host.diskPlug?.detach(rig.machine.id, "more");
});

test("what the machine was started with on a fixed bus stays, and unknown disks are named", async () => {
  await assert.rejects(async () => rig.host.diskPlug?.detach(rig.machine.id, "sys"), { code: "QemuRefused" });
  assert.deepEqual(await ids(), ["sys"]);
  await assert.rejects(async () => rig.host.diskPlug?.detach(rig.machine.id, "x"), { code: "DiskNotFound" });
});
