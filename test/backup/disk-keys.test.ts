// A machine whose disks are encrypted: its secret travels in each recovery point, and only who might
// restore it sees it there.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startRig, type Rig } from "./rig.ts";

let rig: Rig;
const passphrase = "the passphrase of the disks";
before(async () => {
  rig = await startRig({ machines: { vm1: 1 } });
});
after(() => rig?.[Symbol.asyncDispose]());

const good = async (method: string, path: string, body?: unknown) => {
  const answer = await rig.call(method, path, body);
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
  return answer.json;
};

test("a backup needs the right to the keys, carries them, and shows them sealed", async () => {
  const keyVault = `${rig.group}/providers/Microsoft.KeyVault/vaults/diskkeys`;
  const tenantId = rig.service.running.tenantId;
  const policies = (...objects: string[]) =>
    objects.map((objectId) => ({ tenantId, objectId, permissions: { keys: ["all"], secrets: ["all"] } }));
  const create = (objects: string[]) =>
    good("PUT", keyVault, {
      location: "eastus",
      properties: { tenantId, sku: { family: "A", name: "standard" }, accessPolicies: policies(...objects) },
    });
  await create([]);
  const secret = await good("PUT", `${keyVault}/secrets/bek`, { properties: { value: passphrase } });
  const secretUrl = secret.properties.secretUriWithVersion as string;
  const machine = await good("GET", rig.machineId("vm1"));
  const wanted = structuredClone(machine);
  wanted.properties.storageProfile.osDisk.encryptionSettings = {
    enabled: true,
    diskEncryptionKey: { secretUrl, sourceVault: { id: keyVault } },
  };

  const refused = await rig.call("PUT", rig.machineId("vm1"), wanted);
  assert.equal(refused.status, 403, refused.text);
  assert.equal(refused.json.error.code, "KeyVaultAccessForbidden");

  const mine = whoAsked(refused.json.error.message);
  await create([mine]);
  await good("PUT", rig.machineId("vm1"), wanted);
  const shown = (await good("GET", rig.machineId("vm1"))).properties.storageProfile.osDisk.encryptionSettings;
  assert.equal(shown.diskEncryptionKey.secretUrl, secretUrl);

  await rig.protect("vm1");
  const failed = await rig.backUp("vm1");
  assert.equal(failed.properties.status, "Failed");
  assert.match(failed.properties.errorDetails[0]?.errorString ?? "", /^UserErrorKeyvaultPermissionsNotConfigured: /);
  assert.deepEqual(await rig.points("vm1"), []);

  const vault = await good("PATCH", rig.vaultId, { identity: { type: "SystemAssigned" } });
  await create([mine, vault.identity.principalId]);
  const done = await rig.backUp("vm1");
  assert.equal(done.properties.status, "Completed", JSON.stringify(done.properties.errorDetails));
  const [point] = await rig.points("vm1");
  const path = `${rig.itemPath("vm1")}/recoveryPoints/${point?.name}`;
  const { properties } = (await rig.vault("GET", path)).json;
  assert.equal(properties.isSourceVMEncrypted, true);
  assert.equal(properties.keyAndSecret.bekDetails.secretUrl, secretUrl);
  assert.ok(properties.keyAndSecret.bekDetails.secretData.length > 100);
  assert.ok(!JSON.stringify(properties).includes(passphrase));

  await create([vault.identity.principalId]);
  const hidden = (await rig.vault("GET", path)).json.properties;
  assert.equal(hidden.isSourceVMEncrypted, true);
  assert.equal(hidden.keyAndSecret, null);
});

/** The refusal names who asked. */
function whoAsked(message: string): string {
  return /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(message)?.[0] ?? "";
}
