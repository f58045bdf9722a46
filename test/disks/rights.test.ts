// Who may create a disk may not read every disk by it: the source of a copy asks for a right of its own.
// Templates make disks and collections like any client.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DatabaseSync } from "node:sqlite";
import { waitFor } from "../../src/lib/time.ts";
import { dataFolder } from "../../src/server/data-folder.ts";
import { clientFor, type TestClient } from "../support/client.ts";
import { startDiskRig, type DiskRig } from "./support.ts";

let rig: DiskRig;
before(async () => {
  rig = await startDiskRig();
});
after(() => rig[Symbol.asyncDispose]());

const version = "?api-version=2024-03-02";
const virtualMachineContributor = "9980e02c-c2be-4d73-94e8-173b1dc7cf3c";
const contributor = "b24988ac-6180-42a0-ab88-20f7382dd24c";
const reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7";

function ownerOf({ service }: DiskRig): Promise<TestClient> {
  const { endpoint, ca, pid, admin, data } = service;
  return clientFor({ endpoint, ca, pid, tenantId: admin.tenantId, subscriptionId: admin.subscriptionId }, data);
}

test("a copy of a disk needs the right to read that disk, an empty disk does not", async () => {
  const owner = await ownerOf(rig);
  const put = (creationData: object, name: string): [string, string, { body: object }] => [
    "PUT",
    rig.compute(`disks/${name}`) + version,
    { body: { location: "local", properties: { creationData, diskSizeGB: 1 } } },
  ];
  const copy = { createOption: "Copy", sourceResourceId: rig.compute("disks/web_b-data.qcow2") };
  const machines = await owner.createPrincipal("machines");
  await owner.assign(machines.principalId, virtualMachineContributor, rig.group);
  assert.equal((await machines.call(...put({ createOption: "Empty" }, "mine"))).status, 202);
  const refused = await machines.call(...put(copy, "theirs"));
  assert.equal(refused.status, 403);
  assert.match(refused.text, /disks\/beginGetAccess\/action/);
  assert.equal((await rig.service.call("GET", rig.compute("disks/theirs") + version)).status, 404);

  const all = await owner.createPrincipal("all");
  await owner.assign(all.principalId, contributor, rig.group);
  assert.equal((await all.call(...put(copy, "theirs"))).status, 202);
  // A copy has a snapshot of the machine, and a machine one snapshot at a time.
  await waitFor(
    "the copy",
    async () => {
      const { json } = await rig.service.call("GET", rig.compute("disks/theirs") + version);
      return json.properties.provisioningState === "Succeeded" ? true : undefined;
    },
    120_000,
  );
});

test("restore points of a machine need the right to read its disks, not only to see the machine", async () => {
  const owner = await ownerOf(rig);
  const own = rig.group.replace(/machines$/, "own");
  await rig.ask("PUT", own, 201, { location: "local" });
  const looker = await owner.createPrincipal("looker");
  await owner.assign(looker.principalId, contributor, own);
  await owner.assign(looker.principalId, reader, rig.group);
  const collection = `${own}/providers/Microsoft.Compute/restorePointCollections/peek`;
  const body = { location: "local", properties: { source: { id: rig.compute("virtualMachines/web") } } };
  assert.equal((await looker.call("PUT", collection + version, { body })).status, 201);
  const point = `${collection}/restorePoints/one${version}`;
  const refused = await looker.call("PUT", point, { body: {} });
  assert.equal(refused.status, 403, refused.text);
  assert.match(refused.text, /disks\/beginGetAccess\/action/);
  assert.equal((await looker.call("GET", point)).status, 404);
});

test("a machine is given an interface by who may give it away, and nothing else in its place", async () => {
  const owner = await ownerOf(rig);
  const nic = `${rig.group.replace(/machines$/, "own")}/providers/Microsoft.Network/networkInterfaces/nic`;
  const ipConfigurations = [{ name: "one", properties: { privateIPAllocationMethod: "Dynamic" } }];
  await rig.ask("PUT", nic, 201, { location: "local", properties: { ipConfigurations } });
  const operator = await owner.createPrincipal("operator");
  await owner.assign(operator.principalId, virtualMachineContributor, rig.group);
  const web = rig.compute("virtualMachines/web") + version;
  const take = (id: string): { body: object } => ({
    body: { properties: { networkProfile: { networkInterfaces: [{ id }] } } },
  });
  const refused = await operator.call("PATCH", web, take(nic));
  assert.equal(refused.status, 403, refused.text);
  assert.match(refused.text, /networkInterfaces\/join\/action/);
  assert.equal((await operator.call("PATCH", web, take(rig.compute("disks/mine")))).status, 400);
});

test("an operation is followed by who began it and by who may read what it is about", async () => {
  const owner = await ownerOf(rig);
  const body = { location: "local", properties: { creationData: { createOption: "Empty" }, diskSizeGB: 1 } };
  const { headers } = await rig.ask("PUT", rig.compute("disks/followed"), 202, body);
  const { pathname, search } = new URL(String(headers["azure-asyncoperation"]));
  const stranger = await owner.createPrincipal("stranger");
  const asked = await stranger.call("GET", pathname + search);
  assert.deepEqual([asked.status, asked.json.error.code], [404, "OperationNotFound"]);
  await owner.assign(stranger.principalId, reader, rig.group);
  assert.equal((await stranger.call("GET", pathname + search)).status, 200);
});

test("a disk that is closed to networks is not given out by URL", async () => {
  const path = rig.compute("disks/closed");
  const properties = { creationData: { createOption: "Empty" }, diskSizeGB: 1, networkAccessPolicy: "DenyAll" };
  await rig.follow("PUT", path, 202, { location: "local", properties });
  const access = { access: "Read", durationInSeconds: 60 };
  const { json } = await rig.ask("POST", `${path}/beginGetAccess`, 409, access);
  assert.match(json.error.message, /networkAccessPolicy is 'DenyAll'/);
  await rig.ask("PATCH", path, 200, { properties: { networkAccessPolicy: "AllowAll" } });
  await rig.ask("POST", `${path}/beginGetAccess`, 200, access);
  await rig.ask("POST", `${path}/endGetAccess`, 200);
});

test("a right to a disk goes with the disk, and is none to the next one of its name", async () => {
  const owner = await ownerOf(rig);
  const path = rig.compute("disks/named");
  const body = { location: "local", properties: { creationData: { createOption: "Empty" }, diskSizeGB: 1 } };
  await rig.follow("PUT", path, 202, body);
  const friend = await owner.createPrincipal("friend");
  await owner.assign(friend.principalId, reader, path);
  assert.equal((await friend.call("GET", path + version)).status, 200);
  await rig.ask("DELETE", path, 200);
  await rig.follow("PUT", path, 202, body);
  assert.equal((await friend.call("GET", path + version)).status, 403);
});

test("to which machine a disk belongs is not for clients to say, nor to take away", async () => {
  const path = rig.compute("disks/owned");
  const body = { location: "local", properties: { creationData: { createOption: "Empty" }, diskSizeGB: 1 } };
  const web = rig.compute("virtualMachines/web");
  await rig.follow("PUT", path, 202, { ...body, managedBy: web });
  assert.equal((await rig.ask("GET", path, 200)).json.managedBy, undefined);
  using database = new DatabaseSync(dataFolder(rig.service.data).database, { timeout: 10_000 });
  const own = database.prepare(
    "UPDATE resources SET envelope = json_set(envelope, '$.managedBy', ?) WHERE key LIKE '%/disks/owned'",
  );
  own.run(web);
  await rig.ask("PUT", path, 200, body);
  await rig.ask("PATCH", path, 200, { managedBy: null, tags: { a: "b" } });
  assert.equal((await rig.ask("GET", path, 200)).json.managedBy, web);
  await rig.ask("DELETE", path, 409);
});

test("a template makes a disk, a snapshot of it and a collection of restore points", async () => {
  const resources = [
    {
      type: "Microsoft.Compute/disks",
      apiVersion: "2024-03-02",
      name: "templated",
      location: "local",
      properties: { creationData: { createOption: "Empty" }, diskSizeGB: 1 },
    },
    {
      type: "Microsoft.Compute/snapshots",
      apiVersion: "2024-03-02",
      name: "templated",
      location: "local",
      dependsOn: ["[resourceId('Microsoft.Compute/disks', 'templated')]"],
      properties: {
        creationData: {
          createOption: "Copy",
          sourceResourceId: "[resourceId('Microsoft.Compute/disks', 'templated')]",
        },
      },
    },
    {
      type: "Microsoft.Compute/restorePointCollections",
      apiVersion: "2024-03-01",
      name: "templated",
      location: "local",
      properties: { source: { id: "[resourceId('Microsoft.Compute/virtualMachines', 'web')]" } },
    },
    {
      type: "Microsoft.Compute/restorePointCollections/restorePoints",
      apiVersion: "2024-03-01",
      name: "templated/one",
      dependsOn: ["[resourceId('Microsoft.Compute/restorePointCollections', 'templated')]"],
      properties: { consistencyMode: "CrashConsistent" },
    },
  ];
  const template = {
    $schema: "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    contentVersion: "1.0.0.0",
    resources,
  };
  const deployment = `${rig.group}/providers/Microsoft.Resources/deployments/disks`;
  const body = { properties: { mode: "Incremental", template } };
  const ended = await rig.follow("PUT", deployment, 201, body);
  assert.equal(ended.status, "Succeeded", JSON.stringify(ended));
  for (const path of [
    "disks/templated",
    "snapshots/templated",
    "restorePointCollections/templated/restorePoints/one",
  ]) {
    const { json } = await rig.ask("GET", rig.compute(path), 200);
    assert.equal(json.properties.provisioningState, "Succeeded", path);
  }
});

test("deleting the group takes disks, snapshots and restore points with it", async () => {
  const answer = await rig.ask("DELETE", rig.group, 202);
  const location = new URL(String(answer.headers["location"]));
  await waitFor(
    "the end of the group",
    async () => {
      const { status } = await rig.service.call("GET", `${location.pathname}${location.search}`);
      return status === 202 ? undefined : true;
    },
    120_000,
  );
  await rig.ask("GET", rig.group, 404);
  assert.equal((await rig.service.call("GET", rig.compute("disks/templated") + version)).status, 404);
  const left = (folder: string): string[] => readdirSync(join(rig.service.data, folder));
  await waitFor(
    "their bytes to go",
    () => (left("disks").length + left("collections").length === 0 ? true : undefined),
    120_000,
  );
});
