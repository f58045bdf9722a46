// The process dies on every arrow between snapshot, store and bitmaps. Afterwards the store lists whole
// points only, and the next capture reads the changes alone and equals the disks.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openFsStore } from "../../store/backends/fs.ts";
import { createVault, keyFromBytes, listPoints, openVault, type ObjectStore, type Vault } from "../../store/index.ts";
import { captureMachine, type Captured } from "./capture-machine.ts";
import { contentOf, imagesRig, type ImagesRig } from "./testing/images.ts";

const program = join(import.meta.dirname, "testing", "capture-program.ts");
const key = Buffer.alloc(32, 7);
/** Whether the point that was being made is there afterwards. */
const arrows: Readonly<Record<string, boolean>> = {
  "capture.snapshot-open": false,
  "store.after-open": false,
  "store.after-pack": false,
  "store.after-index": false,
  "capture.before-point": false,
  "store.before-end": false,
  "store.after-end": true,
  "store.after-point": true,
  "capture.after-point": true,
  "capture.after-marks": true,
};

let rig: ImagesRig;
let place: ObjectStore;
let vault: Vault;
let round = 0;

before(async () => {
  rig = await imagesRig();
  place = await openFsStore(join(rig.folder, "store"), { create: true, trustFileSystem: true });
  await createVault(place, keyFromBytes(key), { packTarget: 1 << 16, nameHash: "sha256" });
  vault = await openVault(place, keyFromBytes(key), { workers: 1 });
  await capture();
});
after(async () => {
  await vault[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

function capture(): Promise<Captured> {
  const { host, machineId } = rig;
  return captureMachine({ host, machineId, vault, item: "web", chain: "vault-1", consistency: "crash" });
}

function change(): void {
  round += 1;
  rig.write("a-os", `write -P ${round + 40} ${(round % 8) + 1}M 64k`);
  rig.write("b-data", `write -P ${round + 80} ${(round % 4) + 1}M 64k`);
}

for (const [arrow, isThere] of Object.entries(arrows)) {
  test(`killed at ${arrow}: the point is ${isThere ? "there" : "not there"}, and the next one is right`, async () => {
    const before = (await listPoints(vault, "web")).points.length;
    change();
    const child = spawn(process.execPath, [program, rig.folder, join(rig.folder, "store"), key.toString("hex")], {
      env: { ...process.env, HOLDFAST_FAULTS: `${arrow}=kill` },
      stdio: ["ignore", "inherit", "inherit"],
    });
    const [, signal] = await once(child, "exit");
    assert.equal(signal, "SIGKILL");
    await rig.host.cleanUp();

    change();
    const next = await capture();
    assert.ok(next.bytesRead <= 4 * 65_536, `${next.bytesRead} bytes were read`);
    assert.deepEqual(next.remarks, []);
    const { points, problems, gaps } = await listPoints(vault, "web");
    assert.deepEqual([points.length, problems, gaps], [before + (isThere ? 2 : 1), [], []]);
    for (const disk of ["a-os", "b-data"]) {
      assert.ok((await contentOf(vault, next.point, disk)).equals(rig.content(disk)), disk);
      assert.deepEqual(rig.bitmaps(disk), [`holdfast.vault-1.${next.facts.mark}`]);
    }
  });
}
