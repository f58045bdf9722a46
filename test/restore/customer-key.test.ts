// A vault under a customer's key: from the first point on or later; a key that is taken away stops backups
// and restores, and loses nothing; a new version of the key is taken over.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { readAdmin } from "../../src/server/data-folder.ts";
import { clientFor } from "../support/client.ts";
import { waitFor } from "../../src/lib/time.ts";
import { startRig, type Rig, type WireJob } from "../backup/rig.ts";

let rig: Rig;
let allowed: string;
let principal: string;
let keyId: string;

before(async () => {
  allowed = mkdtempSync(join(tmpdir(), "holdfast-cmk-"));
  rig = await startRig({ machines: { vm1: 1 }, environment: { HOLDFAST_RESTORE_FOLDERS: allowed } });
  await rig.protect("vm1");
  assert.equal((await rig.backUp("vm1")).properties.status, "Completed");
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
  rmSync(allowed, { recursive: true, force: true });
});

const keyVault = (): string => `${rig.group}/providers/Microsoft.KeyVault/vaults/customerkeys`;

async function setPolicies(keys: readonly string[]): Promise<void> {
  const { json: me } = await rig.call("GET", keyVault());
  const own = (me.properties?.accessPolicies ?? []).filter(
    ({ objectId }: { objectId: string }) => objectId !== principal,
  );
  const answer = await rig.call("PUT", keyVault(), {
    location: "eastus",
    properties: {
      ...me.properties,
      accessPolicies: [
        ...own,
        { tenantId: rig.service.running.tenantId, objectId: principal, permissions: { keys, secrets: [] } },
      ],
    },
  });
  assert.ok(answer.status < 300, answer.text);
}

async function dataPlane(
  method: string,
  path: string,
  body?: unknown,
): Promise<{ json: { key: { kid: string } }; status: number; text: string }> {
  const client = await clientFor(rig.service.running, rig.data);
  const { json } = await rig.call("GET", keyVault());
  const url = new URL(path, json.properties.vaultUri);
  const inPath = `/vaults/customerkeys${url.pathname}`;
  return (await client.call(method, `${inPath}?api-version=7.4`, { body })) as never;
}

function encrypt(identity: object = { useSystemAssignedIdentity: true }): ReturnType<Rig["call"]> {
  return rig.call("PATCH", rig.vaultId, {
    properties: {
      encryption: {
        keyVaultProperties: { keyUri: keyId },
        kekIdentity: identity,
        infrastructureEncryption: "Disabled",
      },
    },
  });
}

async function restoredEquals(): Promise<void> {
  const folder = join(allowed, `r${readdirSync(allowed).length}`);
  mkdirSync(folder);
  const [point] = await rig.points("vm1");
  const job = await rig.job(
    await rig.vault("POST", `${rig.itemPath("vm1")}/recoveryPoints/${point!.name}/restore`, {
      properties: { objectType: "IaasVMRestoreRequest", recoveryType: "RestoreDisks", holdfast: { folder } },
    }),
  );
  assert.equal(job.properties.status, "Completed", JSON.stringify(job.properties.errorDetails));
  const [image] = readdirSync(folder).filter((name) => name.endsWith(".raw"));
  assert.ok(readFileSync(join(folder, image!)).equals(readFileSync(join(rig.images, "vm1/disk0.raw"))));
}

test("a key without an identity, and an identity without a right, are refused by name", async () => {
  await rig.call("PUT", keyVault(), {
    location: "eastus",
    properties: {
      tenantId: rig.service.running.tenantId,
      sku: { family: "A", name: "standard" },
      enableSoftDelete: true,
      enablePurgeProtection: true,
      accessPolicies: [
        {
          tenantId: rig.service.running.tenantId,
          objectId: await ownObjectId(),
          permissions: { keys: ["all"], secrets: ["all"] },
        },
      ],
    },
  });
  const made = await dataPlane("POST", "/keys/backup/create", { kty: "RSA", key_size: 2048 });
  assert.equal(made.status, 200, made.text);
  keyId = made.json.key.kid.split("/").slice(0, -1).join("/");
  const noIdentity = await encrypt();
  assert.equal(noIdentity.json.error.code, "UserErrorKeyVaultIdentityMissing", noIdentity.text);
  const identity = await rig.call("PATCH", rig.vaultId, { identity: { type: "SystemAssigned" } });
  principal = identity.json.identity.principalId;
  const noRight = await encrypt();
  assert.equal(noRight.json.error.code, "UserErrorCMKKeyUnavailable", noRight.text);
});

async function ownObjectId(): Promise<string> {
  const client = await clientFor(rig.service.running, rig.data);
  const admin = await readAdmin(rig.data);
  const filter = encodeURIComponent(`servicePrincipalNames/any(c:c eq '${admin?.clientId}')`);
  const { json } = await client.call("GET", `/v1.0/servicePrincipals?$filter=${filter}`);
  return json.value[0].id as string;
}

test("a vault with points changes to the key, and its points restore", async () => {
  await setPolicies(["get", "list", "wrapKey", "unwrapKey"]);
  const answer = await encrypt();
  assert.ok(answer.status < 300, answer.text);
  assert.equal(answer.json.properties.encryption.keyVaultProperties.keyUri, keyId);
  const config = await rig.vault("GET", "/backupEncryptionConfigs/backupResourceEncryptionConfig");
  assert.equal(config.json.properties.encryptionAtRestType, "CustomerManaged");
  await restoredEquals();
  const path = "/backupJobs?$filter=operation%20eq%20'UpdateCustomerManagedKey'";
  const jobs = await waitFor(
    "the job of the change",
    async () => {
      const found = (await rig.vault("GET", path)).json.value as WireJob[];
      return found.every(({ properties }) => properties.status !== "InProgress") ? found : undefined;
    },
    120_000,
  );
  assert.deepEqual(
    jobs.map(({ properties }) => properties.status),
    ["Completed"],
  );
  const shown = (await rig.vault("GET", `/backupJobs/${jobs[0]!.name}`)).json as WireJob;
  assert.equal(shown.properties.extendedInfo.propertyBag["Key Uri"], keyId);
});

test("without the right backups stop with Azure's error; with it they go on, and nothing was lost", async () => {
  await setPolicies(["get"]);
  const failed = await rig.backUp("vm1");
  assert.equal(failed.properties.status, "Failed");
  assert.match(JSON.stringify(failed.properties.errorDetails), /UserErrorCMKKeyUnavailable|customer-managed key/);
  await setPolicies(["get", "wrapKey", "unwrapKey"]);
  const again = await rig.backUp("vm1");
  assert.equal(again.properties.status, "Completed", JSON.stringify(again.properties.errorDetails));
  await restoredEquals();
});

test("a new version of the key is taken over, and the old one is needed no more", async () => {
  const old = await dataPlane("GET", "/keys/backup");
  const made = await dataPlane("POST", "/keys/backup/create", { kty: "RSA", key_size: 2048 });
  assert.notEqual(made.json.key.kid, old.json.key.kid);
  // As az does when the identity stays the same.
  const keyAlone = { properties: { encryption: { keyVaultProperties: { keyUri: keyId } } } };
  const changed = await rig.call("PATCH", rig.vaultId, keyAlone);
  assert.ok(changed.status < 300, changed.text);
  assert.equal(changed.json.properties.encryption.kekIdentity.useSystemAssignedIdentity, true);
  const disabled = await dataPlane("PATCH", new URL(old.json.key.kid).pathname.replace(/^\/vaults\/[^/]+/, ""), {
    attributes: { enabled: false },
  });
  assert.equal(disabled.status, 200, disabled.text);
  const backup = await rig.backUp("vm1");
  assert.equal(backup.properties.status, "Completed", JSON.stringify(backup.properties.errorDetails));
  await restoredEquals();
});

test("an encryption that names no key is refused before anything is changed", async () => {
  const answer = await rig.call("PATCH", rig.vaultId, {
    tags: { changed: "yes" },
    properties: { encryption: { keyVaultProperties: { keyUri: 7 } } },
  });
  assert.equal(answer.status, 400, answer.text);
  assert.match(answer.text, /keyUri/);
  assert.equal((await rig.call("GET", rig.vaultId)).json.tags?.changed, undefined);
});

test("a vault under a customer's key does not go back", async () => {
  const answer = await rig.vault("PUT", "/backupEncryptionConfigs/backupResourceEncryptionConfig", {
    properties: { encryptionAtRestType: "MicrosoftManaged" },
  });
  assert.equal(answer.status, 400);
});
