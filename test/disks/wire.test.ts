// Disks, snapshots and restore points on the wire of a running service.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { after, before, test } from "node:test";
import { dataFolder } from "../../src/server/data-folder.ts";
import { waitFor } from "../../src/lib/time.ts";
import { startDiskRig, type DiskRig } from "./support.ts";

let rig: DiskRig;
before(async () => {
  rig = await startDiskRig();
});
after(() => rig[Symbol.asyncDispose]());

const gibibyte = 1024 ** 3;
const newDisk = (properties: object): object => ({ location: "local", sku: { name: "Premium_LRS" }, properties });
const copyOf = (sourceResourceId: string): object =>
  newDisk({ creationData: { createOption: "Copy", sourceResourceId } });

async function refused(method: string, path: string, status: number, code: string, body?: object): Promise<string> {
  const { json } = await rig.ask(method, path, status, body);
  assert.equal(json.error.code, code, json.error.message);
  return json.error.message;
}

test("an empty disk is created, grows, is shown with Azure's fields, and is deleted", async () => {
  const path = rig.compute("disks/empty");
  const body = newDisk({ creationData: { createOption: "Empty" }, diskSizeGB: 2 });
  assert.deepEqual((await rig.follow("PUT", path, 202, body)).status, "Succeeded");
  const { json } = await rig.ask("GET", path, 200);
  assert.equal(json.properties.diskSizeBytes, 2 * gibibyte);
  assert.equal(json.properties.provisioningState, "Succeeded");
  assert.equal(json.properties.diskState, "Unattached");
  assert.match(json.properties.uniqueId, /^[0-9a-f-]{36}$/);
  await refused("PUT", path, 409, "OperationNotAllowed", newDisk({ ...json.properties, diskSizeGB: 1 }));
  await refused("PATCH", path, 409, "OperationNotAllowed", { properties: { creationData: { createOption: "Copy" } } });
  assert.equal((await rig.follow("PATCH", path, 202, { properties: { diskSizeGB: 3 } })).status, "Succeeded");
  assert.equal((await rig.ask("GET", path, 200)).json.properties.diskSizeGB, 3);
  await rig.ask("DELETE", path, 200);
  await rig.ask("GET", path, 404);
  await rig.ask("DELETE", path, 204);
});

test("what cannot be created is refused by field", async () => {
  const path = rig.compute("disks/bad");
  await refused("PUT", path, 400, "DiskSizeInvalid", newDisk({ creationData: { createOption: "Empty" } }));
  await refused("PUT", path, 400, "InvalidRequestContent", newDisk({ creationData: { createOption: "Upload" } }));
  await refused("PUT", path, 400, "SourceInvalid", newDisk({ diskSizeGB: 1 }));
  await refused("PUT", path, 400, "SourceInvalid", copyOf(rig.compute("disks/nobody")));
  await refused("PUT", path, 400, "SourceInvalid", copyOf("/etc/passwd"));
  const importOf = (sourceUri: string): object => newDisk({ creationData: { createOption: "Import", sourceUri } });
  for (const uri of ["https://example.com/a/b/c.vhd", "file:///etc/passwd", `${rig.service.endpoint}/nobody/a/b.vhd`])
    await refused("PUT", path, 400, "SourceInvalid", importOf(uri));
  await rig.ask("GET", path, 404);
});

test("disks of machines are listed among the others, and copied as snapshots", async () => {
  const { json } = await rig.ask("GET", rig.compute("disks"), 200);
  const attached = json.value.filter((disk: { managedBy?: string }) => disk.managedBy !== undefined);
  assert.deepEqual(
    attached.map(({ name, properties }: { name: string; properties: { diskState: string } }) => [
      name,
      properties.diskState,
    ]),
    [
      ["web_a-os.qcow2", "Reserved"],
      ["web_b-data.qcow2", "Reserved"],
    ],
  );
  const [, data] = attached;
  assert.equal((await rig.ask("GET", data.id, 200)).json.properties.diskSizeBytes, 9 << 20);
  await refused(
    "PUT",
    data.id,
    409,
    "DiskAttachedToMachine",
    newDisk({ creationData: { createOption: "Empty" }, diskSizeGB: 1 }),
  );
  const access = { access: "Read", durationInSeconds: 60 };
  await refused("POST", `${data.id}/beginGetAccess`, 409, "DiskAttachedToMachine", access);

  const snapshot = rig.compute("snapshots/data");
  assert.equal((await rig.follow("PUT", snapshot, 202, copyOf(data.id))).status, "Succeeded");
  const given = await rig.ask("POST", `${snapshot}/beginGetAccess`, 200, access);
  const file = join(rig.folder, "data.vhd");
  await rig.download(given.json.accessSAS, file);
  rig.compare("b-data", "vpc", file);

  assert.equal((await rig.ask("GET", snapshot, 200)).json.properties.diskState, "ActiveSAS");
  await refused("PATCH", snapshot, 409, "DiskInActiveSasState", { properties: { diskSizeGB: 2 } });
  await refused("DELETE", snapshot, 409, "Conflict");
  await rig.ask("POST", `${snapshot}/endGetAccess`, 200);
  await assert.rejects(rig.download(given.json.accessSAS, file), /40[34]/);
  assert.equal((await rig.follow("PUT", rig.compute("disks/copy"), 202, copyOf(snapshot))).status, "Succeeded");
  await rig.ask("DELETE", snapshot, 200);
  assert.equal((await rig.ask("GET", rig.compute("disks/copy"), 200)).json.properties.diskSizeBytes, 9 << 20);
});

test("restore points hold all disks of one instant, become disks, and go with their collection", async () => {
  const vm = rig.compute("virtualMachines/web");
  const collection = rig.compute("restorePointCollections/points");
  const body = { location: "local", properties: { source: { id: vm } } };
  const made = await rig.ask("PUT", collection, 201, body);
  assert.equal(made.json.properties.source.location, "local");
  await rig.ask("PUT", collection, 200, body);
  await refused("PUT", `${collection}x`, 400, "SourceInvalid", { ...body, properties: { source: { id: `${vm}x` } } });

  const point = `${collection}/restorePoints/one`;
  const following = rig.follow("PUT", point, 201, {});
  await waitFor("the first point", async () => (await rig.find(point)) ?? undefined, 120_000);
  await refused("PUT", `${collection}/restorePoints/other`, 409, "RestorePointCreationInProgress", {});
  await refused("DELETE", point, 409, "OperationNotAllowed");
  await refused("DELETE", collection, 409, "Conflict");
  assert.equal((await following).status, "Succeeded");
  await refused("PUT", point, 409, "RestorePointAlreadyExists", {});
  const { properties } = (await rig.ask("GET", `${point}?$expand=instanceView`, 200)).json;
  assert.equal(properties.consistencyMode, "CrashConsistent");
  assert.equal(properties.provisioningState, "Succeeded");
  const { osDisk, dataDisks } = properties.sourceMetadata.storageProfile;
  assert.deepEqual([osDisk.name, dataDisks.length], ["web_a-os.qcow2", 1]);
  assert.equal(properties.instanceView.diskRestorePoints.length, 2);
  assert.ok(
    properties.instanceView.statuses.some(({ code }: { code: string }) => code === "Remark/MachineNotRunning"),
    JSON.stringify(properties.instanceView.statuses),
  );

  rig.write("b-data", "write -P 7 1M 64k");
  const second = `${collection}/restorePoints/two`;
  const excludeDisks = [{ id: osDisk.managedDisk.id }];
  await refused("PUT", second, 400, "SourceInvalid", { properties: { excludeDisks } });
  assert.equal(
    (await rig.follow("PUT", second, 201, { properties: { consistencyMode: "CrashConsistent" } })).status,
    "Succeeded",
  );
  const shown = (await rig.ask("GET", `${collection}?$expand=restorePoints`, 200)).json;
  assert.deepEqual(
    shown.properties.restorePoints.map(({ name }: { name: string }) => name),
    ["one", "two"],
  );

  const [latest] = (await rig.ask("GET", second, 200)).json.properties.sourceMetadata.storageProfile.dataDisks;
  const diskPoint = latest.diskRestorePoint.id;
  const restored = newDisk({ creationData: { createOption: "Restore", sourceResourceId: diskPoint } });
  assert.equal((await rig.follow("PUT", rig.compute("disks/restored"), 202, restored)).status, "Succeeded");
  const uniqueId = (await rig.ask("GET", rig.compute("disks/restored"), 200)).json.properties.uniqueId;
  rig.compare("b-data", "raw", join(rig.service.data, "disks", `${uniqueId}.raw`));

  const listed = (await rig.ask("GET", `${second}/diskRestorePoints`, 200)).json.value;
  assert.deepEqual(
    listed.map(
      ({ properties: { completionPercent } }: { properties: { completionPercent: number } }) => completionPercent,
    ),
    [100, 100],
  );
  assert.equal((await rig.ask("GET", diskPoint, 200)).json.properties.sourceResourceId, latest.managedDisk.id);
  const given = await rig.ask("POST", `${diskPoint}/beginGetAccess`, 200, { access: "Read", durationInSeconds: 60 });
  const file = join(rig.folder, "point.vhd");
  await rig.download(given.json.accessSAS, file);
  rig.compare("b-data", "vpc", file);
  await refused("DELETE", second, 409, "DiskRestorePointUsedByCustomer");
  await refused("DELETE", collection, 409, "Conflict");
  await rig.ask("POST", `${diskPoint}/endGetAccess`, 200);

  await rig.ask("DELETE", second, 200);
  await rig.ask("DELETE", second, 204);
  await rig.ask("GET", diskPoint, 404);
  await rig.ask("DELETE", collection, 200);
  await rig.ask("GET", point, 404);
});

test("a collection holds five hundred restore points and no more", async () => {
  const collection = rig.compute("restorePointCollections/full");
  const body = { location: "local", properties: { source: { id: rig.compute("virtualMachines/web") } } };
  await rig.ask("PUT", collection, 201, body);
  assert.equal((await rig.follow("PUT", `${collection}/restorePoints/one`, 201, {})).status, "Succeeded");
  using database = new DatabaseSync(dataFolder(rig.service.data).database, { timeout: 10_000 });
  const row = database
    .prepare("SELECT * FROM resources WHERE key LIKE '%/restorepointcollections/full/restorepoints/one'")
    .get();
  assert.ok(row !== undefined);
  const columns = Object.keys(row);
  const insert = database.prepare(
    `INSERT INTO resources (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
  );
  database.exec("BEGIN IMMEDIATE");
  for (let number = 2; number <= 500; number += 1) {
    const named = { ...row, key: `${row["key"]}${number}`, id: `${row["id"]}${number}`, name: `one${number}` };
    insert.run(...columns.map((column) => named[column as keyof typeof named] as SQLInputValue));
  }
  database.exec("COMMIT");
  const next = `${collection}/restorePoints/next`;
  const message = await refused("PUT", next, 409, "RestorePointLimitExceeded", {});
  assert.match(message, /holds 500 restore points; 500 are allowed/);
  database.exec("DELETE FROM resources WHERE key LIKE '%/full/restorepoints/one500'");
  assert.equal((await rig.follow("PUT", next, 201, {})).status, "Succeeded");
});

test("a fixed VHD in a storage account becomes a disk; anything else there does not", async () => {
  const account = `${rig.group}/providers/Microsoft.Storage/storageAccounts/vhds`;
  await rig.ask("PUT", account, 200, {
    location: "local",
    sku: { name: "Standard_LRS" },
    kind: "StorageV2",
    properties: {},
  });
  await rig.ask("PUT", `${account}/blobServices/default/containers/images`, 201, { properties: {} });
  const sas = await rig.ask("POST", `${account}/listServiceSas`, 200, {
    canonicalizedResource: "/blob/vhds/images",
    signedResource: "c",
    signedPermission: "rcw",
    signedExpiry: new Date(Date.now() + 3_600_000).toISOString(),
  });
  const urlOf = (name: string): string => `${rig.service.endpoint}/vhds/images/${name}`;
  const raw = join(rig.folder, "import.raw");
  const vhd = join(rig.folder, "import.vhd");
  execFileSync("qemu-img", ["create", "-q", "-f", "raw", raw, "6M"]);
  execFileSync("qemu-io", ["-f", "raw", "-c", "write -P 5 1M 2M", raw]);
  const asVhd = ["-f", "raw", "-O", "vpc", "-o", "subformat=fixed,force_size=on"];
  execFileSync("qemu-img", ["convert", ...asVhd, raw, vhd]);
  await rig.upload(vhd, `${urlOf("good.vhd")}?${sas.json.serviceSasToken}`);
  await rig.upload(raw, `${urlOf("bad.vhd")}?${sas.json.serviceSasToken}`);
  const importOf = (sourceUri: string): object => newDisk({ creationData: { createOption: "Import", sourceUri } });

  const disk = rig.compute("disks/imported");
  const signed = `${urlOf("good.vhd")}?${sas.json.serviceSasToken}`;
  assert.equal((await rig.follow("PUT", disk, 202, importOf(signed))).status, "Succeeded");
  const { properties } = (await rig.ask("GET", disk, 200)).json;
  assert.equal(properties.creationData.sourceUri, urlOf("good.vhd"));
  execFileSync("qemu-img", [
    "compare",
    "-f",
    "raw",
    "-F",
    "raw",
    raw,
    join(rig.service.data, "disks", `${properties.uniqueId}.raw`),
  ]);

  const ended = await rig.follow("PUT", rig.compute("disks/bad"), 202, importOf(urlOf("bad.vhd")));
  assert.deepEqual([ended.status, ended.error?.code], ["Failed", "DiskImportRefused"]);
  assert.equal((await rig.ask("GET", rig.compute("disks/bad"), 200)).json.properties.provisioningState, "Failed");
  await rig.ask("DELETE", rig.compute("disks/bad"), 200);
  await refused("PUT", rig.compute("disks/none"), 404, "BlobNotFound", importOf(urlOf("none.vhd")));
});
