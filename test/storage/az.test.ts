// Storage accounts and blobs by the real az.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { azEnvironment, azFails, azWith, type Az } from "../support/az.ts";
import { startTestService, type TestService } from "../support/service.ts";

let service: TestService;
let folder: string;
let az: Az;

before(async () => {
  service = await startTestService();
  az = azWith(await azEnvironment(service));
  folder = await mkdtemp(join(tmpdir(), "holdfast-az-"));
  await az("group", "create", "--name", "files", "--location", "local");
});

after(async () => {
  await service[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test("az creates an account, finds it, changes it, and reads its keys", async () => {
  assert.equal((await az("storage", "account", "check-name", "--name", "azaccount")).nameAvailable, true);
  const made = await az(
    "storage",
    "account",
    "create",
    "--name",
    "azaccount",
    "--resource-group",
    "files",
    "--location",
    "local",
    "--sku",
    "Standard_LRS",
  );
  assert.equal(made.provisioningState, "Succeeded");
  assert.equal(made.primaryEndpoints.blob, `${service.endpoint}/azaccount/`);
  assert.deepEqual(
    (await az("storage", "account", "list", "--resource-group", "files")).map(({ name }: { name: string }) => name),
    ["azaccount"],
  );
  const shown = await az("storage", "account", "show", "--name", "azaccount");
  assert.equal(shown.sku.name, "Standard_LRS");
  const updated = await az(
    "storage",
    "account",
    "update",
    "--name",
    "azaccount",
    "--resource-group",
    "files",
    "--tags",
    "a=b",
  );
  assert.deepEqual(updated.tags, { a: "b" });
  const keys = await az("storage", "account", "keys", "list", "--account-name", "azaccount");
  const renewed = await az("storage", "account", "keys", "renew", "--account-name", "azaccount", "--key", "key1");
  assert.notEqual(renewed[0].value, keys[0].value);
  assert.equal(renewed[1].value, keys[1].value);
  assert.equal((await az("storage", "account", "check-name", "--name", "azaccount")).nameAvailable, false);
  await az("group", "create", "--name", "other", "--location", "local");
  const taken = await azFails(
    az,
    "storage",
    "account",
    "create",
    "--name",
    "azaccount",
    "--resource-group",
    "other",
    "--location",
    "local",
  );
  assert.match(taken.text, /already (taken|in use)/i);
});

test("az uploads, lists, downloads, signs and deletes blobs", async () => {
  const [{ value: key }] = await az("storage", "account", "keys", "list", "--account-name", "azaccount");
  const here = ["--account-name", "azaccount", "--account-key", key];
  await az("storage", "container", "create", "--name", "docs", ...here);
  const file = join(folder, "file.txt");
  await writeFile(file, "from az\n".repeat(100_000));
  await az("storage", "blob", "upload", "--container-name", "docs", "--name", "in/file.txt", "--file", file, ...here);
  const [blob] = await az("storage", "blob", "list", "--container-name", "docs", ...here);
  assert.equal(blob.name, "in/file.txt");
  assert.equal(blob.properties.contentLength, 800_000);
  const back = join(folder, "back.txt");
  await az("storage", "blob", "download", "--container-name", "docs", "--name", "in/file.txt", "--file", back, ...here);
  assert.equal(await readFile(back, "utf8"), await readFile(file, "utf8"));
  assert.equal(
    (await az("storage", "blob", "show", "--container-name", "docs", "--name", "in/file.txt", ...here)).properties
      .blobType,
    "BlockBlob",
  );

  const expiry = new Date(Date.now() + 3_600_000).toISOString().replace(/:\d\d\.\d{3}Z$/, "Z");
  const sas = await az(
    "storage",
    "blob",
    "generate-sas",
    "--container-name",
    "docs",
    "--name",
    "in/file.txt",
    "--permissions",
    "r",
    "--expiry",
    expiry,
    ...here,
  );
  const signed = [
    "--container-name",
    "docs",
    "--name",
    "in/file.txt",
    "--account-name",
    "azaccount",
    "--sas-token",
    sas,
  ];
  assert.equal((await az("storage", "blob", "show", ...signed)).properties.contentLength, 800_000);
  const refused = await azFails(az, "storage", "blob", "delete", ...signed);
  assert.match(refused.text, /permission|authoriz/i);
  await az("storage", "blob", "delete", "--container-name", "docs", "--name", "in/file.txt", ...here);
  assert.deepEqual(await az("storage", "blob", "list", "--container-name", "docs", ...here), []);
});

test("az uploads a page blob and finds the key by itself", async () => {
  const file = join(folder, "disk.vhd");
  await writeFile(file, Buffer.alloc(1_048_576, 5));
  const here = ["--account-name", "azaccount", "--container-name", "docs"];
  await az("storage", "blob", "upload", "--type", "page", "--name", "disk.vhd", "--file", file, ...here);
  assert.equal((await az("storage", "blob", "show", "--name", "disk.vhd", ...here)).properties.blobType, "PageBlob");
  await az("storage", "blob", "snapshot", "--name", "disk.vhd", ...here);
});

test("az deletes the account with all that is in it, and nobody answers for classic storage", async () => {
  await az("storage", "account", "delete", "--name", "azaccount", "--resource-group", "files", "--yes");
  assert.equal((await az("storage", "account", "check-name", "--name", "azaccount")).nameAvailable, true);
  const classic = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/files/providers/Microsoft.ClassicStorage/storageAccounts/azaccount?api-version=2015-12-01`;
  assert.equal((await service.call("GET", classic)).status, 404);
});
