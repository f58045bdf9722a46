// Who may do what with a blob: signatures, keys and tokens, through Microsoft's JavaScript client.

import assert from "node:assert/strict";
import {
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  BlobClient,
  BlobSASPermissions,
  BlobServiceClient,
  ContainerClient,
  ContainerSASPermissions,
  generateAccountSASQueryParameters,
  generateBlobSASQueryParameters,
  SASProtocol,
} from "@azure/storage-blob";
import { ClientSecretCredential } from "@azure/identity";
import { after, before, test } from "node:test";
import {
  createAccount,
  expectStatus,
  failure,
  startStorage,
  version,
  type StorageService,
  type TestAccount,
} from "./support.ts";

let storage: StorageService;
let account: TestAccount;

before(async () => {
  storage = await startStorage();
  account = await createAccount(storage, "sdkaccount");
});

after(() => storage.service[Symbol.asyncDispose]());

let containers = 0;
async function newContainer(): Promise<ContainerClient> {
  containers += 1;
  const container = account.client.getContainerClient(`container-${containers}`);
  await container.create();
  return container;
}

const hour = 3_600_000;
const soon = (): Date => new Date(Date.now() + hour);

test("a signature allows what it says, where it says, as long as it says", async () => {
  const container = await newContainer();
  const blob = container.getBlockBlobClient("signed");
  await blob.upload("secret", 6);
  const at = (sas: { toString(): string }, name = "signed"): BlobClient =>
    new BlobClient(`${container.url}/${name}?${sas.toString()}`);
  const base = { containerName: container.containerName, protocol: SASProtocol.HttpsAndHttp };
  const read = generateBlobSASQueryParameters(
    {
      ...base,
      blobName: "signed",
      permissions: BlobSASPermissions.parse("r"),
      expiresOn: soon(),
      contentType: "text/shown",
    },
    account.credential,
  );
  assert.equal((await at(read).downloadToBuffer()).toString(), "secret");
  assert.equal((await at(read).getProperties()).contentType, "text/shown");
  assert.equal((await failure(at(read).delete())).code, "AuthorizationPermissionMismatch");
  assert.equal((await failure(at(read, "other").download())).code, "AuthenticationFailed");
  assert.equal(
    (await failure(new BlobClient(at(read).url.replace("sp=r", "sp=rwd")).delete())).code,
    "AuthenticationFailed",
  );
  const past = generateBlobSASQueryParameters(
    { ...base, blobName: "signed", permissions: BlobSASPermissions.parse("r"), expiresOn: new Date(Date.now() - 1000) },
    account.credential,
  );
  assert.equal((await failure(at(past).download())).code, "AuthenticationFailed");
  const future = generateBlobSASQueryParameters(
    {
      ...base,
      blobName: "signed",
      permissions: BlobSASPermissions.parse("r"),
      startsOn: soon(),
      expiresOn: new Date(Date.now() + 2 * hour),
    },
    account.credential,
  );
  assert.equal((await failure(at(future).download())).code, "AuthenticationFailed");
  const elsewhere = generateBlobSASQueryParameters(
    {
      ...base,
      blobName: "signed",
      permissions: BlobSASPermissions.parse("r"),
      expiresOn: soon(),
      ipRange: { start: "10.0.0.1", end: "10.0.0.9" },
    },
    account.credential,
  );
  assert.equal((await failure(at(elsewhere).download())).code, "AuthorizationSourceIPMismatch");

  const create = generateBlobSASQueryParameters(
    { ...base, permissions: ContainerSASPermissions.parse("cl"), expiresOn: soon() },
    account.credential,
  );
  const inContainer = new ContainerClient(`${container.url}?${create.toString()}`);
  await inContainer.getBlockBlobClient("fresh").upload("1", 1);
  assert.equal(
    (await failure(inContainer.getBlockBlobClient("signed").upload("overwritten", 11))).code,
    "UnauthorizedBlobOverwrite",
  );
  const names = [];
  for await (const item of inContainer.listBlobsFlat()) names.push(item.name);
  assert.deepEqual(names, ["fresh", "signed"]);
  assert.equal((await failure(inContainer.delete())).code, "AuthorizationResourceTypeMismatch");
});

test("a stored access policy takes back the signatures that name it", async () => {
  const container = await newContainer();
  await container.getBlockBlobClient("b").upload("1", 1);
  await container.setAccessPolicy(undefined, [
    { id: "readers", accessPolicy: { permissions: "r", startsOn: new Date(Date.now() - hour), expiresOn: soon() } },
  ]);
  assert.equal((await container.getAccessPolicy()).signedIdentifiers[0]?.accessPolicy.permissions, "r");
  const sas = generateBlobSASQueryParameters(
    { containerName: container.containerName, blobName: "b", identifier: "readers" },
    account.credential,
  );
  const blob = new BlobClient(`${container.url}/b?${sas.toString()}`);
  assert.equal((await blob.downloadToBuffer()).toString(), "1");
  await container.setAccessPolicy(undefined, []);
  assert.equal((await failure(blob.download())).code, "AuthenticationFailed");
});

test("an account signature is bound to services, levels and permissions", async () => {
  const make = (services: string, types: string, permissions: string): BlobServiceClient => {
    const sas = generateAccountSASQueryParameters(
      {
        services: AccountSASServices.parse(services).toString(),
        resourceTypes: AccountSASResourceTypes.parse(types).toString(),
        permissions: AccountSASPermissions.parse(permissions),
        expiresOn: soon(),
      },
      account.credential,
    );
    return new BlobServiceClient(`${account.client.url}?${sas.toString()}`);
  };
  const full = make("b", "sco", "rwdlc");
  await full.getContainerClient("by-sas").create();
  await full.getContainerClient("by-sas").getBlockBlobClient("x").upload("1", 1);
  assert.ok((await full.listContainers().byPage().next()).value.containerItems.length > 0);
  assert.equal(
    (await failure(make("q", "sco", "rwdlc").getContainerClient("by-sas").delete())).code,
    "AuthorizationServiceMismatch",
  );
  assert.equal(
    (await failure(make("b", "o", "rwdlc").getContainerClient("by-sas").delete())).code,
    "AuthorizationResourceTypeMismatch",
  );
  assert.equal(
    (await failure(make("b", "sco", "rl").getContainerClient("by-sas").delete())).code,
    "AuthorizationPermissionMismatch",
  );
  await full.getContainerClient("by-sas").delete();
});

test("a replaced key opens nothing any more, and an account may refuse keys altogether", async () => {
  const own = await createAccount(storage, "rotating");
  await own.client.getContainerClient("box").create();
  await expectStatus(storage.service, "POST", `${own.path}/regenerateKey?${version}`, { keyName: "key1" }, [200]);
  assert.equal((await failure(own.client.getContainerClient("box").getProperties())).code, "AuthenticationFailed");
  const again = await createAccount(storage, "rotating", { allowSharedKeyAccess: false });
  assert.equal(
    (await failure(again.client.getContainerClient("box").getProperties())).code,
    "KeyBasedAuthenticationNotPermitted",
  );
});

test("an account admits the addresses that it names, and nobody when it is closed", async () => {
  const acls = (value: string) => ({ networkAcls: { defaultAction: "Deny", ipRules: [{ value, action: "Allow" }] } });
  const own = await createAccount(storage, "fenced", acls("127.0.0.0/8"));
  await own.client.getContainerClient("box").create();
  for (const closed of [acls("192.0.2.1"), { publicNetworkAccess: "Disabled" }]) {
    const { client } = await createAccount(storage, "fenced", closed);
    assert.equal((await failure(client.getContainerClient("box").getProperties())).code, "AuthorizationFailure");
    const url = own.client.getContainerClient("box").getBlobClient("x").url;
    const elsewhere = account.client.getContainerClient("copies");
    await elsewhere.createIfNotExists();
    assert.equal((await failure(elsewhere.getBlobClient("x").syncCopyFromURL(url))).code, "AuthorizationFailure");
  }
  const { client } = await createAccount(storage, "fenced", { publicNetworkAccess: "Enabled" });
  await client.getContainerClient("box").getProperties();
});

test("a token works as far as its data roles reach, also through a user delegation signature", async () => {
  const { service } = storage;
  const { clientId, clientSecret, tenantId } = service.admin;
  const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, {
    authorityHost: service.endpoint,
    disableInstanceDiscovery: true,
  });
  const client = new BlobServiceClient(account.client.url, credential, { retryOptions: { maxTries: 1 } });
  const container = client.getContainerClient("by-token");
  await container.create();
  const blob = container.getBlockBlobClient("x");
  // An owner manages the account; its data needs a role on data.
  assert.equal((await failure(blob.upload("1", 1))).code, "AuthorizationPermissionMismatch");
  const contributor = `/subscriptions/${service.admin.subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/ba92f5b4-2d11-453d-a403-e96b0029c9fe`;
  const me = JSON.parse(
    Buffer.from(
      (await credential.getToken("https://storage.azure.com/.default")).token.split(".")[1]!,
      "base64url",
    ).toString(),
  ).oid;
  const assignment = `${account.path}/providers/Microsoft.Authorization/roleAssignments/6f1b2d5e-1111-4222-8333-944455556666?api-version=2022-04-01`;
  await expectStatus(
    service,
    "PUT",
    assignment,
    { properties: { roleDefinitionId: contributor, principalId: me } },
    [201],
  );
  await blob.upload("by token", 8);
  const key = await client.getUserDelegationKey(new Date(Date.now() - 60_000), soon());
  for (const sasVersion of ["2018-11-09", "2020-02-10", "2021-12-02", "2025-07-05", undefined]) {
    const sas = generateBlobSASQueryParameters(
      {
        containerName: "by-token",
        blobName: "x",
        permissions: BlobSASPermissions.parse("r"),
        expiresOn: soon(),
        version: sasVersion,
      },
      key,
      account.name,
    );
    assert.equal(
      (await new BlobClient(`${blob.url}?${sas.toString()}`).downloadToBuffer()).toString(),
      "by token",
      `version ${sasVersion}`,
    );
  }
  const sas = generateBlobSASQueryParameters(
    { containerName: "by-token", blobName: "x", permissions: BlobSASPermissions.parse("r"), expiresOn: soon() },
    key,
    account.name,
  );
  await expectStatus(service, "DELETE", assignment, undefined, [200]);
  assert.equal(
    (await failure(new BlobClient(`${blob.url}?${sas.toString()}`).download())).code,
    "AuthorizationPermissionMismatch",
  );
});

test("signatures of every version are understood", async () => {
  const container = await newContainer();
  await container.getBlockBlobClient("v").upload("v", 1);
  for (const sasVersion of ["2016-05-31", "2018-11-09", "2020-02-10", "2020-12-06", "2026-04-06"]) {
    const sas = generateBlobSASQueryParameters(
      {
        containerName: container.containerName,
        blobName: "v",
        permissions: BlobSASPermissions.parse("r"),
        expiresOn: soon(),
        version: sasVersion,
      },
      account.credential,
    );
    assert.equal(
      (await new BlobClient(`${container.url}/v?${sas.toString()}`).downloadToBuffer()).toString(),
      "v",
      sasVersion,
    );
  }
});

test("a signature for a snapshot opens that snapshot only, and one for the blob no snapshot", async () => {
  const blob = (await newContainer()).getBlockBlobClient("history");
  const taken: string[] = [];
  for (const text of ["one", "two"]) {
    await blob.upload(text, 3);
    taken.push((await blob.createSnapshot()).snapshot!);
  }
  const options = { permissions: BlobSASPermissions.parse("r"), expiresOn: soon() };
  const first = await blob.withSnapshot(taken[0]!).generateSasUrl(options);
  assert.equal((await new BlobClient(first).downloadToBuffer()).toString(), "one");
  const read = async (url: string): Promise<number> => (await fetch(url)).status;
  assert.equal(await read(first), 200);
  assert.equal(await read(first.replace(encodeURIComponent(taken[0]!), encodeURIComponent(taken[1]!))), 403);
  assert.equal(await read(first.replace("?", `?snapshot=${encodeURIComponent(taken[1]!)}&`)), 400);
  const base = await blob.generateSasUrl(options);
  assert.equal(await read(base), 200);
  assert.equal(await read(`${base}&snapshot=${encodeURIComponent(taken[0]!)}`), 403);
});
