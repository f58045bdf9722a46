// Machines whose disks are really encrypted (LUKS, as QEMU makes and opens it): what opens them travels in
// each recovery point, only who might restore it sees it there, and after it is purged from its key vault a
// restore puts it back, so that the restored disk opens.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { waitFor } from "../../src/lib/time.ts";
import { clientFor, type TestClient } from "../support/client.ts";
import { readAdmin } from "../../src/server/data-folder.ts";
import { holdfast, type Answer } from "../support/service.ts";
import { readLuks, writeLuks } from "../support/luks.ts";
import { startRig, type Rig } from "./rig.ts";

let rig: Rig;
let client: TestClient;
let work: string;
/** Who asks, and the backup vault's identity, by object id. */
let me: string;
let identity: string;
const owner = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
const keyVaultAdministrator = "00482a5a-887f-4fb3-b363-3b7fe8e74483";
const passphrase = "the passphrase of the disks";
const contents = randomBytes(4 * 1024 ** 2);
/** In the key vault: the secret of vm1, the secret of vm2 and the key that wraps it. */
let bek: string;
let wrappedBek: string;
let kek: string;

before(async () => {
  work = mkdtempSync(join(tmpdir(), "holdfast-luks-"));
  rig = await startRig({ machines: { vm1: 1, vm2: 1 } });
  client = await clientFor(rig.service.running, rig.data);
  writeFileSync(join(work, "plain.raw"), contents);
  await writeLuks(join(work, "plain.raw"), join(rig.images, "vm1/disk0.raw"), passphrase);
  copyFileSync(join(rig.images, "vm1/disk0.raw"), join(rig.images, "vm2/disk0.raw"));
  await addHost(work);
});
after(async () => {
  for (const name of ["bek", "kek", "elsewhere", "lifeboat"]) await endMachine(name).catch(() => {});
  await rig?.[Symbol.asyncDispose]();
  rmSync(work, { recursive: true, force: true });
});

const good = async (method: string, path: string, body?: unknown) => {
  const answer = await rig.call(method, path, body);
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
  return answer.text === "" ? undefined : answer.json;
};

async function addHost(socketDirectory: string): Promise<void> {
  await good("PUT", `${rig.group}/providers/Microsoft.Holdfast/hosts/rack`, {
    location: "eastus",
    properties: { kind: "qemu", socketDirectory, accelerator: "tcg" },
  });
}

async function endMachine(name: string): Promise<void> {
  const status = async (): Promise<number> => (await rig.call("GET", rig.machineId(name))).status;
  if ((await status()) === 404) return;
  await good("DELETE", `${rig.machineId(name)}?forceDeletion=true`);
  await waitFor(`${name} to be gone`, async () => (await status()) === 404 || undefined, 120_000);
}

const keyVault = (name = "diskkeys"): string => `${rig.group}/providers/Microsoft.KeyVault/vaults/${name}`;

/** A key vault in which these and nobody else may do everything. */
async function allow(objects: readonly string[], name = "diskkeys", rights = ["all"]): Promise<void> {
  const tenantId = rig.service.running.tenantId;
  const permissions = { keys: rights, secrets: rights };
  const accessPolicies = objects.map((objectId) => ({ tenantId, objectId, permissions }));
  await good("PUT", keyVault(name), {
    location: "eastus",
    properties: { tenantId, sku: { family: "A", name: "standard" }, accessPolicies },
  });
}

/** `path` below the key vault, at the address that works without a name server. */
function dataPlane(method: string, path: string, body?: unknown, name = "diskkeys"): Promise<Answer> {
  return client.call(method, `/vaults/${name}${path}?api-version=7.4`, { body });
}

/** `/secrets/NAME/VERSION` of an id in whichever form. */
const pathOf = (id: string): string => /\/(?:keys|secrets)\/.*$/.exec(id)?.[0] ?? "";

async function urlOf(path: string, name = "diskkeys"): Promise<string> {
  const { vaultUri } = (await good("GET", keyVault(name))).properties;
  return `${vaultUri}${path.slice(1)}`;
}

async function purge(path: string): Promise<void> {
  const [, kind, name] = path.split("/");
  const deleted = await dataPlane("DELETE", `/${kind}/${name}`);
  assert.equal(deleted.status, 200, deleted.text);
  const purged = await dataPlane("DELETE", `/deleted${kind}/${name}`);
  assert.equal(purged.status, 204, purged.text);
  assert.equal((await dataPlane("GET", path)).status, 404);
}

const pointPath = async (name: string): Promise<string> =>
  `${rig.itemPath(name)}/recoveryPoints/${(await rig.points(name))[0]?.name}`;

const restoreBody = (source: string, target: string, more: object): object => ({
  properties: {
    objectType: "IaasVMRestoreRequest",
    recoveryType: "AlternateLocation",
    region: "eastus",
    sourceResourceId: rig.machineId(source),
    targetVirtualMachineId: rig.machineId(target),
    targetResourceGroupId: rig.group,
    ...more,
  },
});

async function askRestore(source: string, target: string, more: object): Promise<Answer> {
  return rig.vault("POST", `${await pointPath(source)}/restore`, restoreBody(source, target, more));
}

async function restored(source: string, target: string, more: object = {}) {
  return (await machineOf(await askRestore(source, target, more), target)).osDisk;
}

async function machineOf(asked: Answer, target: string) {
  const job = await rig.job(asked);
  assert.equal(job.properties.status, "Completed", JSON.stringify(job.properties.errorDetails));
  return (await good("GET", rig.machineId(target))).properties.storageProfile;
}

async function refusedBefore(source: string, target: string, code: string, more: object = {}): Promise<Answer> {
  const left = async () => [
    (await rig.vault("GET", "/backupJobs")).json.value.length,
    (await good("GET", `${rig.group}/providers/Microsoft.Compute/disks`)).value.length,
  ];
  const was = await left();
  const refused = await askRestore(source, target, more);
  assert.equal(refused.json?.error?.code, code, refused.text);
  assert.deepEqual(await left(), was, "neither a job nor a disk");
  return refused;
}

/** What the restored disk holds for who has the passphrase; throws for anybody else. */
async function decrypted(diskId: string, secret: string): Promise<Buffer> {
  const { properties } = await good("GET", diskId);
  return readLuks(join(rig.data, "disks", `${properties.uniqueId}.raw`), secret);
}

async function describeKeys(name: string, more: object): Promise<Answer> {
  const wanted = structuredClone(await good("GET", rig.machineId(name)));
  wanted.properties.storageProfile.osDisk.encryptionSettings = { enabled: true, ...more };
  return rig.call("PUT", rig.machineId(name), wanted);
}

test("a backup needs the right to the keys, carries them, and shows them sealed", async () => {
  await allow([]);
  const secret = await good("PUT", `${keyVault()}/secrets/bek`, { properties: { value: passphrase } });
  const secretUrl = secret.properties.secretUriWithVersion as string;
  bek = pathOf(secretUrl);
  const diskEncryptionKey = { secretUrl, sourceVault: { id: keyVault() } };

  const refused = await describeKeys("vm1", { diskEncryptionKey });
  assert.equal(refused.status, 403, refused.text);
  assert.equal(refused.json.error.code, "KeyVaultAccessForbidden");

  me = whoAsked(refused.json.error.message);
  await allow([me]);
  const described = await describeKeys("vm1", { diskEncryptionKey });
  assert.equal(described.status, 200, described.text);
  const shown = (await good("GET", rig.machineId("vm1"))).properties.storageProfile.osDisk.encryptionSettings;
  assert.equal(shown.diskEncryptionKey.secretUrl, secretUrl);

  await rig.protect("vm1");
  const failed = await rig.backUp("vm1");
  assert.equal(failed.properties.status, "Failed");
  assert.match(failed.properties.errorDetails[0]?.errorString ?? "", /^UserErrorKeyvaultPermissionsNotConfigured: /);
  assert.deepEqual(await rig.points("vm1"), []);

  identity = (await good("PATCH", rig.vaultId, { identity: { type: "SystemAssigned" } })).identity.principalId;
  await allow([me, identity]);
  const done = await rig.backUp("vm1");
  assert.equal(done.properties.status, "Completed", JSON.stringify(done.properties.errorDetails));
  const path = await pointPath("vm1");
  const { properties } = (await rig.vault("GET", path)).json;
  assert.equal(properties.isSourceVMEncrypted, true);
  assert.equal(properties.keyAndSecret.bekDetails.secretUrl, secretUrl);
  assert.ok(properties.keyAndSecret.bekDetails.secretData.length > 100);
  assert.ok(!JSON.stringify(properties).includes(passphrase));

  await allow([identity]);
  const hidden = (await rig.vault("GET", path)).json.properties;
  assert.equal(hidden.isSourceVMEncrypted, true);
  assert.equal(hidden.keyAndSecret, null);
});

test("a purged secret: refused without the right to restore it, put back with it, and it opens the disk", async () => {
  await allow([me, identity]);
  await purge(bek);
  const failed = await rig.backUp("vm1");
  assert.match(failed.properties.errorDetails[0]?.errorString ?? "", /^DiskEncryptionInternalError: /);
  await allow([identity]);
  await refusedBefore("vm1", "bek", "UserErrorKeyvaultPermissionsNotConfigured");
  await allow([me, identity]);
  assert.equal((await dataPlane("GET", bek)).status, 404, "a refused restore writes no secret");

  const osDisk = await restored("vm1", "bek");
  assert.deepEqual(osDisk.encryptionSettings, {
    enabled: true,
    diskEncryptionKey: { secretUrl: await urlOf(bek), sourceVault: { id: keyVault() } },
  });
  const { json: secret } = await dataPlane("GET", bek);
  assert.equal(secret.value, passphrase);
  assert.ok((await decrypted(osDisk.managedDisk.id, secret.value)).equals(contents));
  await assert.rejects(decrypted(osDisk.managedDisk.id, "another passphrase"), /Invalid password/);
});

test("disks alone: their keys are named, and come back only where that is asked for and allowed", async () => {
  await purge(bek);
  const disksOnly = { recoveryType: "RestoreDisks", targetVirtualMachineId: undefined };
  const properties = async (more: object): Promise<Readonly<Record<string, string>>> => {
    const job = await rig.job(await askRestore("vm1", "none", { ...disksOnly, ...more }));
    assert.equal(job.properties.status, "Completed", JSON.stringify(job.properties.errorDetails));
    return job.properties.extendedInfo.propertyBag;
  };
  const without = await properties({});
  assert.equal(without["Disk encryption keys"], "Not restored");
  assert.equal(without["Disk encryption secret"], await urlOf(bek));
  assert.equal((await dataPlane("GET", bek)).status, 404);

  await allow([identity]);
  const asked = { ...disksOnly, encryptionDetails: { encryptionEnabled: true } };
  await refusedBefore("vm1", "none", "UserErrorKeyvaultPermissionsNotConfigured", asked);
  await allow([me, identity]);
  assert.equal((await properties(asked))["Disk encryption keys"], "Restored");
  assert.equal((await dataPlane("GET", bek)).json.value, passphrase);
});

test("a key that wraps the secret: captured, shown, purged, put back, and it unwraps what opens the disk", async () => {
  const made = await dataPlane("POST", "/keys/kek/create", { kty: "RSA", key_size: 2048 });
  assert.equal(made.status, 200, made.text);
  kek = pathOf(made.json.key.kid);
  const value = Buffer.from(passphrase).toString("base64url");
  const wrapped = (await dataPlane("POST", `${kek}/wrapkey`, { alg: "RSA-OAEP", value })).json.value;
  const tags = { DiskEncryptionKeyEncryptionAlgorithm: "RSA-OAEP" };
  const contentType = "Wrapped BEK";
  const set = await dataPlane("PUT", "/secrets/wrapped", { value: wrapped, tags, contentType });
  assert.equal(set.status, 200, set.text);
  wrappedBek = pathOf(set.json.id);
  const settings = {
    enabled: true,
    diskEncryptionKey: { secretUrl: await urlOf(wrappedBek), sourceVault: { id: keyVault() } },
    keyEncryptionKey: { keyUrl: await urlOf(kek), sourceVault: { id: keyVault() } },
  };
  // Without a version the machine means the newest one; a point remembers which that was.
  const newest = { ...settings.keyEncryptionKey, keyUrl: await urlOf("/keys/kek") };
  const described = await describeKeys("vm2", { ...settings, keyEncryptionKey: newest });
  assert.equal(described.status, 200, described.text);
  await rig.protect("vm2");
  const done = await rig.backUp("vm2");
  assert.equal(done.properties.status, "Completed", JSON.stringify(done.properties.errorDetails));
  const { keyAndSecret } = (await rig.vault("GET", await pointPath("vm2"))).json.properties;
  assert.equal(keyAndSecret.kekDetails.keyUrl, settings.keyEncryptionKey.keyUrl);
  assert.equal(keyAndSecret.kekDetails.keyVaultId, keyVault());
  assert.equal(keyAndSecret.bekDetails.secretUrl, settings.diskEncryptionKey.secretUrl);

  await purge(kek);
  await purge(wrappedBek);
  // What the point shows is what a key vault restores.
  const byHand = await dataPlane("POST", "/keys/restore", { value: keyAndSecret.kekDetails.keyBackupData });
  assert.equal(pathOf(byHand.json.key?.kid ?? ""), kek, byHand.text);
  const { secretData } = keyAndSecret.bekDetails;
  const secretByHand = await dataPlane("POST", "/secrets/restore", { value: secretData });
  assert.equal(pathOf(secretByHand.json.id ?? ""), wrappedBek, secretByHand.text);
  await purge(wrappedBek);
  await purge(kek);

  const osDisk = await restored("vm2", "kek");
  assert.deepEqual(osDisk.encryptionSettings, settings);
  const { json: secret } = await dataPlane("GET", wrappedBek);
  assert.deepEqual([secret.value, secret.tags, secret.contentType], [wrapped, tags, contentType]);
  const opener = await unwrapped(secret.value);
  assert.ok((await decrypted(osDisk.managedDisk.id, opener)).equals(contents));
});

test("into another key vault: only for who has the right where the keys came from, too", async () => {
  await allow([me], "elsewhere");
  const encryptionDetails = { secretKeyVaultId: keyVault("elsewhere"), kekVaultId: keyVault("elsewhere") };
  await allow([identity]);
  await refusedBefore("vm2", "elsewhere", "UserErrorKeyvaultPermissionsNotConfigured", { encryptionDetails });
  await allow([me, identity]);
  await allow([], "elsewhere");
  await refusedBefore("vm2", "elsewhere", "UserErrorKeyvaultPermissionsNotConfigured", { encryptionDetails });
  await allow([me], "elsewhere", ["restore"]);
  await refusedBefore("vm2", "elsewhere", "UserErrorKeyvaultPermissionsNotConfigured", { encryptionDetails });
  await allow([me], "elsewhere");
  for (const id of [keyVault("nowhere"), rig.vaultId]) {
    const wrong = { encryptionDetails: { secretKeyVaultId: id } };
    await refusedBefore("vm2", "elsewhere", "UserErrorInvalidRestoreRequest", wrong);
  }
  for (const list of ["/secrets", "/keys"])
    assert.deepEqual((await dataPlane("GET", list, undefined, "elsewhere")).json.value, []);

  // Not beside the disks of the restore before: their names end in the second.
  const targetResourceGroupId = rig.group.replace(/lab$/, "spare");
  await good("PUT", targetResourceGroupId, { location: "eastus" });
  const osDisk = await restored("vm2", "elsewhere", { encryptionDetails, targetResourceGroupId });
  const sourceVault = { id: keyVault("elsewhere") };
  assert.deepEqual(osDisk.encryptionSettings, {
    enabled: true,
    diskEncryptionKey: { secretUrl: await urlOf(wrappedBek, "elsewhere"), sourceVault },
    keyEncryptionKey: { keyUrl: await urlOf(kek, "elsewhere"), sourceVault },
  });
  await purge(kek);
  const secret = await dataPlane("GET", wrappedBek, undefined, "elsewhere");
  const opener = await unwrapped(secret.json.value, "elsewhere");
  assert.ok((await decrypted(osDisk.managedDisk.id, opener)).equals(contents));
});

test("a secret that is deleted but recoverable, or made anew, is never written over", async () => {
  assert.equal((await dataPlane("DELETE", "/secrets/bek")).status, 200);
  const refused = await refusedBefore("vm1", "never", "UserErrorInvalidRestoreRequest");
  assert.match(refused.json.error.message, /recoverable/);
  assert.equal((await dataPlane("DELETE", "/deletedsecrets/bek")).status, 204);
  assert.equal((await dataPlane("PUT", "/secrets/bek", { value: "something else" })).status, 200);
  await refusedBefore("vm1", "never", "UserErrorInvalidRestoreRequest");
  assert.equal((await dataPlane("GET", "/secrets/bek")).json.value, "something else");
});

test("a standard policy leaves out no disk of an encrypted machine", async () => {
  const code = "UserErrorEncryptedVmNotSupportedWithDiskEx";
  const onlySystem = { extendedProperties: { diskExclusionProperties: { diskLunList: [], isInclusionList: true } } };
  const settings = async () =>
    (await good("GET", rig.machineId("vm2"))).properties.storageProfile.osDisk.encryptionSettings;
  await assert.rejects(rig.protect("vm2", "DefaultPolicy", onlySystem), new RegExp(code));
  await rig.protect("vm2", "EnhancedPolicy", onlySystem);
  await assert.rejects(rig.protect("vm2", "DefaultPolicy"), new RegExp(code));

  // Encrypted only after the choice was made.
  const { diskEncryptionKey } = await settings();
  assert.equal((await describeKeys("vm2", { enabled: false })).status, 200);
  assert.equal(await settings(), undefined);
  await rig.protect("vm2", "DefaultPolicy");
  const described = await describeKeys("vm2", { diskEncryptionKey });
  assert.equal(described.status, 200, described.text);
  const failed = await rig.backUp("vm2");
  assert.match(failed.properties.errorDetails[0]?.errorString ?? "", new RegExp(`^${code}: `));
});

test("a key vault that is gone: into another one, for who has a role at the backup vault", async () => {
  await good("DELETE", keyVault());
  await allow([me], "lifeboat");
  await refusedBefore("vm1", "lifeboat", "UserErrorInvalidRestoreRequest");
  const encryptionDetails = { secretKeyVaultId: keyVault("lifeboat") };
  const stranger = await client.createPrincipal("stranger");
  await client.assign(stranger.principalId, owner, rig.group);
  await allow([me, stranger.principalId], "lifeboat");
  const ask = async (): Promise<Answer> =>
    stranger.call("POST", `${rig.vaultId}${await pointPath("vm1")}/restore?api-version=2023-06-01`, {
      body: restoreBody("vm1", "lifeboat", { encryptionDetails }),
    });
  const refused = await ask();
  assert.equal(refused.json.error.code, "UserErrorKeyvaultPermissionsNotConfigured", refused.text);

  await client.assign(stranger.principalId, keyVaultAdministrator, rig.vaultId);
  const { osDisk } = await machineOf(await ask(), "lifeboat");
  const secret = await dataPlane("GET", bek, undefined, "lifeboat");
  assert.equal(osDisk.encryptionSettings.diskEncryptionKey.secretUrl, await urlOf(bek, "lifeboat"));
  assert.ok((await decrypted(osDisk.managedDisk.id, secret.json.value)).equals(contents));
});

test("encrypted disks are not replaced in place, and not run from the vault", async () => {
  const recoveryType = "OriginalLocation";
  await refusedBefore("vm1", "never", "UserErrorRestoreNotSupported", { recoveryType });
  await refusedBefore("vm1", "never", "UserErrorRestoreNotSupported", { holdfast: { instant: true } });
});

test("another server that attaches the vault puts the keys into its own key vault", async () => {
  // The service is in this process: nothing may hold it up.
  const run = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)(holdfast, args, { encoding: "utf8" })).stdout;
  const lost = rig;
  const names = ["-n", "v1", "-g", "lab"];
  const { recoveryKey } = JSON.parse(await run("vault", "recovery-key", "--json", "--data", lost.data, ...names));
  const keyFile = join(work, "recovery.txt");
  writeFileSync(keyFile, recoveryKey);
  const [guid = ""] = readdirSync(join(lost.data, "vaults"));
  cpSync(join(lost.data, "vaults", guid), join(work, "store"), { recursive: true });
  const before = { rig, client };
  rig = await startRig({ machines: {}, environment: { HOLDFAST_PLACES_FOLDERS: work } });
  try {
    client = await clientFor(rig.service.running, rig.data);
    const socketDirectory = join(work, "fresh");
    mkdirSync(socketDirectory);
    await addHost(socketDirectory);
    const store = ["--store", join(work, "store"), "--recovery-key", keyFile, "--location", "eastus"];
    await run("vault", "attach", "--data", rig.data, "-n", "back", "-g", "lab", ...store);
    const back = rig.vaultId.replace(/v1$/, "back");
    const admin = await ownObjectId();
    await allow([admin], "fresh");
    const path = `${back}${rig.itemPath("vm1")}/recoveryPoints`;
    const [point] = (await good("GET", path)).value;
    const body = restoreBody("vm1", "again", { encryptionDetails: { secretKeyVaultId: keyVault("fresh") } });
    const refused = await rig.call("POST", `${path}/${point.name}/restore`, body);
    assert.equal(refused.json?.error?.code, "UserErrorKeyvaultPermissionsNotConfigured", refused.text);
    await client.assign(admin, keyVaultAdministrator, back);
    await good("POST", `${path}/${point.name}/restore`, body);
    const job = await waitFor(
      "the restore",
      async () => {
        const [found] = (await good("GET", `${back}/backupJobs`)).value;
        return found === undefined || found.properties.status === "InProgress" ? undefined : found;
      },
      120_000,
    );
    assert.equal(job.properties.status, "Completed", JSON.stringify(job.properties.errorDetails));
    const { osDisk } = (await good("GET", rig.machineId("again"))).properties.storageProfile;
    assert.equal(osDisk.encryptionSettings.diskEncryptionKey.secretUrl, await urlOf(bek, "fresh"));
    const secret = await dataPlane("GET", bek, undefined, "fresh");
    assert.ok((await decrypted(osDisk.managedDisk.id, secret.json.value)).equals(contents));
    await endMachine("again");
  } finally {
    await rig[Symbol.asyncDispose]();
    ({ rig, client } = before);
  }
});

async function ownObjectId(): Promise<string> {
  const { clientId } = await readAdmin(rig.data).then((admin) => admin ?? { clientId: "" });
  const filter = encodeURIComponent(`appId eq '${clientId}'`);
  return (await client.call("GET", `/v1.0/servicePrincipals?$filter=${filter}`)).json.value[0].id;
}

async function unwrapped(value: string, name = "diskkeys"): Promise<string> {
  const { json, text } = await dataPlane("POST", `${kek}/unwrapkey`, { alg: "RSA-OAEP", value }, name);
  assert.ok(json.value, text);
  return Buffer.from(json.value, "base64url").toString();
}

/** The refusal names who asked. */
function whoAsked(message: string): string {
  return /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(message)?.[0] ?? "";
}
