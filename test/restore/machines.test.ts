// Machines made of recovery points on a QEMU host: a new one, one whose disks are replaced, one that runs
// from the vault at once. The disks hold no system, so what runs is QEMU and its firmware; what they read is
// compared. The machine has a UEFI, whose variables go the same ways.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { waitFor } from "../../src/lib/time.ts";
import { startRig, writeDisk, type Rig, type WireJob } from "../backup/rig.ts";
import { hasMark, markedVariables } from "../support/uefi.ts";

let rig: Rig;
let sockets: string;
let pointPath: string;
let contents: Buffer[];

before(async () => {
  sockets = mkdtempSync(join(tmpdir(), "holdfast-sockets-"));
  rig = await startRig({ machines: { vm1: 2 } });
  contents = [0, 1].map((number) => readFileSync(join(rig.images, `vm1/disk${number}.raw`)));
  writeFileSync(join(rig.images, "vm1/vm1_VARS.fd"), markedVariables("first"));
  await good("PUT", `${rig.group}/providers/Microsoft.Holdfast/hosts/rack`, {
    location: "eastus",
    properties: { kind: "qemu", socketDirectory: sockets, accelerator: "tcg" },
  });
  await good("PUT", `${rig.group}/providers/Microsoft.Network/virtualNetworks/net`, {
    location: "eastus",
    properties: {
      addressSpace: { addressPrefixes: ["10.0.0.0/16"] },
      subnets: [{ name: "inner", properties: { addressPrefix: "10.0.0.0/24" } }],
    },
  });
  await rig.protect("vm1");
  await rig.backUp("vm1");
  pointPath = `${rig.itemPath("vm1")}/recoveryPoints/${(await rig.points("vm1"))[0]?.name}`;
});
after(async () => {
  for (const name of ["twin", "swift"]) {
    await power(name, false).catch(() => {}); // waits: a service that ends first would leave it running
    await rig?.call("DELETE", rig.machineId(name)).catch(() => {});
  }
  await rig?.[Symbol.asyncDispose]();
  rmSync(sockets, { recursive: true, force: true });
});

async function good(method: string, path: string, body?: unknown): Promise<void> {
  const answer = await rig.call(method, path, body);
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
}

async function restored(point: string, properties: object): Promise<WireJob> {
  const job = await rig.job(
    await rig.vault("POST", `${point}/restore`, {
      properties: { objectType: "IaasVMRestoreRequest", region: "eastus", ...properties },
    }),
  );
  assert.match(job.properties.status, /^Completed/, JSON.stringify(job.properties.errorDetails));
  return job;
}

const subnet = (): string => `${rig.group}/providers/Microsoft.Network/virtualNetworks/net/subnets/inner`;

interface Shown {
  readonly properties: {
    readonly instanceView: { readonly statuses: readonly { readonly code: string }[] };
    readonly storageProfile: {
      readonly osDisk: { readonly managedDisk: { readonly id: string } };
      readonly dataDisks: readonly { readonly lun: number; readonly managedDisk: { readonly id: string } }[];
    };
  };
}

async function show(name: string): Promise<Shown> {
  return (await rig.call("GET", `${rig.machineId(name)}?$expand=instanceView`)).json as Shown;
}

async function imageOf(diskId: string): Promise<string> {
  const { json } = await rig.call("GET", diskId);
  return join(rig.data, "disks", `${json.properties.uniqueId}.raw`);
}

const variablesPath = async (diskId: string): Promise<string> => (await imageOf(diskId)).replace(/raw$/, "nvram");
const variablesOf = async (diskId: string): Promise<Buffer> => readFileSync(await variablesPath(diskId));

const isRunning = ({ properties }: Shown): boolean =>
  properties.instanceView.statuses.some(({ code }) => code === "PowerState/running");

async function power(name: string, on: boolean): Promise<void> {
  await good("POST", `${rig.machineId(name)}/${on ? "start" : "powerOff?skipShutdown=true"}`);
  await waitFor(`${name} ${on}`, async () => isRunning(await show(name)) === on || undefined, 120_000);
}

test("a new machine runs, in its network, from disks that equal the point", async () => {
  const job = await restored(pointPath, {
    recoveryType: "AlternateLocation",
    sourceResourceId: rig.machineId("vm1"),
    targetVirtualMachineId: rig.machineId("twin"),
    targetResourceGroupId: rig.group,
    virtualNetworkId: subnet().replace("/subnets/inner", ""),
    subnetId: subnet(),
  });
  assert.deepEqual(
    job.properties.extendedInfo.tasksList.map(({ taskId, status }) => [taskId, status]),
    [
      ["Transfer data from vault", "Completed"],
      ["Create the restored virtual machine", "Completed"],
    ],
  );
  const twin = await show("twin");
  assert.ok(isRunning(twin));
  const { osDisk, dataDisks } = twin.properties.storageProfile;
  await power("twin", false);
  assert.ok(readFileSync(await imageOf(osDisk.managedDisk.id)).equals(contents[0]!));
  assert.ok(readFileSync(await imageOf(dataDisks[0]!.managedDisk.id)).equals(contents[1]!));
  assert.ok(hasMark(await variablesOf(osDisk.managedDisk.id), "first"));
});

test("replacing disks takes a point of the present state first, and the old disks stay", async () => {
  await power("twin", true);
  await rig.protect("twin");
  const backup = await rig.backUp("twin");
  assert.match(backup.properties.status, /^Completed/, JSON.stringify(backup.properties.errorDetails));
  const [first] = await rig.points("twin");
  await power("twin", false);
  const before = await show("twin");
  const oldDisk = before.properties.storageProfile.osDisk.managedDisk.id;
  const changed = Buffer.alloc(8192, "changed after the backup");
  writeDisk(await imageOf(oldDisk), 1 << 20, changed);
  const was = readFileSync(await imageOf(oldDisk));
  writeFileSync(await variablesPath(oldDisk), markedVariables("other"));
  await power("twin", true);

  const job = await restored(`${rig.itemPath("twin")}/recoveryPoints/${first!.name}`, {
    recoveryType: "OriginalLocation",
    sourceResourceId: rig.machineId("twin"),
  });
  const now = await show("twin");
  assert.ok(isRunning(now));
  const newDisk = now.properties.storageProfile.osDisk.managedDisk.id;
  assert.notEqual(newDisk, oldDisk);
  await power("twin", false);
  assert.ok(readFileSync(await imageOf(newDisk)).equals(contents[0]!));
  assert.ok(readFileSync(await imageOf(oldDisk)).equals(was));
  assert.ok(hasMark(await variablesOf(newDisk), "first"), "as QEMU had them at the backup");
  assert.ok(hasMark(await variablesOf(oldDisk), "other"));
  assert.equal((await rig.call("GET", oldDisk)).json.managedBy, undefined);
  const points = await rig.points("twin");
  assert.equal(points.length, 2);
  const safety = job.properties.extendedInfo.propertyBag["Recovery point of the replaced state"];
  {
    // The point of the state that was replaced can be restored, too.
    await restored(`${rig.itemPath("twin")}/recoveryPoints/${safety}`, {
      recoveryType: "RestoreDisks",
      targetResourceGroupId: rig.group,
      restoreDiskLunList: [],
    });
    const { json } = await rig.call("GET", `${rig.group}/providers/Microsoft.Compute/disks`);
    const newest = (json.value as { name: string; id: string; properties: { timeCreated?: string } }[])
      .filter(({ name }) => name.startsWith("twin-osdisk"))
      .toSorted((a, b) => ((a.properties.timeCreated ?? "") < (b.properties.timeCreated ?? "") ? 1 : -1))[0];
    assert.ok(readFileSync(await imageOf(newest!.id)).equals(was));
    assert.ok(hasMark(await variablesOf(newest!.id), "other"));
  }
});

test("instant restore: the machine runs from the vault, its disks come home, and the vault is needed no more", async () => {
  const job = await restored(pointPath, {
    recoveryType: "AlternateLocation",
    sourceResourceId: rig.machineId("vm1"),
    targetVirtualMachineId: rig.machineId("swift"),
    targetResourceGroupId: rig.group,
    holdfast: { instant: true, hostId: `${rig.group}/providers/Microsoft.Holdfast/hosts/rack` },
  });
  assert.ok(isRunning(await show("swift")));
  const folder = join(rig.data, "instant", job.name.slice(0, 8));
  await power("swift", false);
  assert.ok(hasMark(readFileSync(join(folder, "nvram")), "first"));
  const images = readdirSync(folder)
    .filter((name) => name.endsWith(".qcow2"))
    .toSorted();
  assert.equal(images.length, 2);
  for (const [index, name] of images.entries()) {
    const raw = join(folder, "compare.raw");
    execFileSync("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", join(folder, name), raw]);
    assert.ok(readFileSync(raw).equals(contents[index]!), name);
  }
  assert.ok(!existsSync(join(folder, "point.sock")), "the point is served no more");
  await power("swift", true);
});
