// Every command of az for disks, snapshots and restore points.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { azEnvironment, azFails, azWith, type Az } from "../support/az.ts";
import { startDiskRig, type DiskRig } from "./support.ts";

let rig: DiskRig;
let az: Az;
const inGroup = ["--resource-group", "machines"] as const;

before(async () => {
  rig = await startDiskRig();
  az = azWith(await azEnvironment(rig.service));
});
after(() => rig[Symbol.asyncDispose]());

test("az disk and az snapshot: create, show, list, update, grant, revoke, delete", async () => {
  const made = await az(
    "disk",
    "create",
    ...inGroup,
    "--name",
    "empty",
    "--size-gb",
    "2",
    "--sku",
    "Standard_LRS",
    "--os-type",
    "Linux",
  );
  assert.deepEqual(
    [made.provisioningState, made.diskSizeGb, made.osType, made.sku.name],
    ["Succeeded", 2, "Linux", "Standard_LRS"],
  );
  const updated = await az(
    "disk",
    "update",
    ...inGroup,
    "--name",
    "empty",
    "--size-gb",
    "3",
    "--set",
    "tags.team=backup",
  );
  assert.deepEqual([updated.diskSizeGb, updated.tags], [3, { team: "backup" }]);
  const listed: { name: string; managedBy: string | null }[] = await az("disk", "list", ...inGroup);
  assert.deepEqual(
    listed.map(({ name, managedBy }) => [name, managedBy === null ? "" : "attached"]),
    [
      ["empty", ""],
      ["web_a-os.qcow2", "attached"],
      ["web_b-data.qcow2", "attached"],
    ],
  );
  const data = await az("disk", "show", ...inGroup, "--name", "web_b-data.qcow2");

  const snapshot = await az(
    "snapshot",
    "create",
    ...inGroup,
    "--name",
    "data",
    "--source",
    data.id,
    "--incremental",
    "true",
  );
  assert.deepEqual(
    [snapshot.provisioningState, snapshot.creationData.createOption, snapshot.incremental],
    ["Succeeded", "Copy", true],
  );
  assert.equal((await az("snapshot", "list", ...inGroup)).length, 1);
  const { accessSas } = await az(
    "snapshot",
    "grant-access",
    ...inGroup,
    "--name",
    "data",
    "--duration-in-seconds",
    "600",
  );
  const file = join(rig.folder, "snapshot.vhd");
  await rig.download(accessSas, file);
  rig.compare("b-data", "vpc", file);
  assert.match((await azFails(az, "snapshot", "delete", ...inGroup, "--name", "data")).text, /revoke/);
  await az("snapshot", "revoke-access", ...inGroup, "--name", "data");

  const copy = await az("disk", "create", ...inGroup, "--name", "copy", "--source", snapshot.id);
  assert.deepEqual([copy.creationData.sourceResourceId, copy.diskSizeBytes], [snapshot.id, 9 << 20]);
  const granted = await az("disk", "grant-access", ...inGroup, "--name", "copy", "--duration-in-seconds", "600");
  assert.equal((await az("disk", "show", ...inGroup, "--name", "copy")).diskState, "ActiveSAS");
  await rig.download(granted.accessSas, file);
  rig.compare("b-data", "vpc", file);
  await az("disk", "revoke-access", ...inGroup, "--name", "copy");
  await assert.rejects(rig.download(granted.accessSas, file));

  assert.match(
    (await azFails(az, "disk", "create", ...inGroup, "--name", "small", "--source", made.id, "--size-gb", "1")).text,
    /3 GiB/,
  );
  for (const name of ["empty", "copy"]) await az("disk", "delete", ...inGroup, "--name", name, "--yes");
  await az("snapshot", "delete", ...inGroup, "--name", "data");
  assert.equal((await azFails(az, "disk", "show", ...inGroup, "--name", "copy")).exitCode, 3);
});

test("az restore-point: collections and points from creation to deletion, and a disk from a point", async () => {
  const inCollection = [...inGroup, "--collection-name", "points"];
  const collection = await az(
    "restore-point",
    "collection",
    "create",
    ...inCollection,
    "--source-id",
    rig.compute("virtualMachines/web"),
    "--tags",
    "a=b",
  );
  assert.deepEqual([collection.provisioningState, collection.tags], ["Succeeded", { a: "b" }]);
  const one = await az(
    "restore-point",
    "create",
    ...inCollection,
    "--name",
    "one",
    "--consistency-mode",
    "CrashConsistent",
  );
  assert.deepEqual([one.provisioningState, one.consistencyMode], ["Succeeded", "CrashConsistent"]);
  rig.write("b-data", "write -P 9 2M 64k");
  const os = one.sourceMetadata.storageProfile.osDisk;
  const [data] = one.sourceMetadata.storageProfile.dataDisks;
  const two = await az(
    "restore-point",
    "create",
    ...inCollection,
    "--name",
    "two",
    "--exclude-disks",
    data.managedDisk.id,
  );
  assert.deepEqual(two.excludeDisks, [{ id: data.managedDisk.id, resourceGroup: "machines" }]);
  assert.equal(two.sourceMetadata.storageProfile.dataDisks.length, 0);
  await az("restore-point", "create", ...inCollection, "--name", "three");

  const viewed = await az("restore-point", "show", ...inCollection, "--name", "three", "--instance-view");
  assert.equal(viewed.instanceView.diskRestorePoints.length, 2);
  await az("restore-point", "wait", ...inCollection, "--name", "three", "--created");
  const shown = await az("restore-point", "collection", "show", ...inCollection, "--restore-points");
  assert.deepEqual(shown.restorePoints.map(({ name }: { name: string }) => name).sort(), ["one", "three", "two"]);
  assert.equal((await az("restore-point", "collection", "list", ...inGroup)).length, 1);
  assert.equal((await az("restore-point", "collection", "list-all")).length, 1);
  assert.deepEqual((await az("restore-point", "collection", "update", ...inCollection, "--tags", "c=d")).tags, {
    c: "d",
  });

  const [latest] = viewed.sourceMetadata.storageProfile.dataDisks;
  const disk = await az("disk", "create", ...inGroup, "--name", "restored", "--source", latest.diskRestorePoint.id);
  assert.equal(disk.creationData.createOption, "Restore");
  rig.compare("b-data", "raw", join(rig.service.data, "disks", `${disk.uniqueId}.raw`));
  assert.ok(os.diskRestorePoint.id.startsWith(one.id));

  await az("restore-point", "delete", ...inCollection, "--name", "one", "--yes");
  assert.equal((await azFails(az, "restore-point", "show", ...inCollection, "--name", "one")).exitCode, 3);
  await az("restore-point", "collection", "delete", ...inCollection, "--yes");
  assert.equal((await az("restore-point", "collection", "list", ...inGroup)).length, 0);
});
