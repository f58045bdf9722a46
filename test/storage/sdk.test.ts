// Microsoft's JavaScript client against a real service.

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
import { createHash, randomBytes } from "node:crypto";
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

test("a block blob is uploaded, read whole and in ranges, and its properties come back", async () => {
  const container = await newContainer();
  const name = "folder/one ünd spaces + (plus) & 100%.bin";
  const blob = container.getBlockBlobClient(name);
  const bytes = randomBytes(3_000_000);
  await blob.uploadData(bytes, {
    blobHTTPHeaders: { blobContentType: "text/x", blobCacheControl: "no-store" },
    metadata: { owner: "me" },
  });
  assert.deepEqual(await blob.downloadToBuffer(), bytes);
  assert.deepEqual(await blob.downloadToBuffer(1_000, 5_000), bytes.subarray(1_000, 6_000));
  const properties = await blob.getProperties();
  assert.equal(properties.contentLength, bytes.length);
  assert.equal(properties.contentType, "text/x");
  assert.equal(properties.cacheControl, "no-store");
  assert.deepEqual(properties.metadata, { owner: "me" });
  assert.equal(
    Buffer.from(properties.contentMD5!).toString("base64"),
    createHash("md5").update(bytes).digest("base64"),
  );
  assert.equal(await container.getBlobClient("folder/none").exists(), false);
});

test("blocks are staged, committed in any order, listed, and replaced", async () => {
  const blob = (await newContainer()).getBlockBlobClient("blocks");
  const id = (text: string): string => Buffer.from(text).toString("base64");
  for (const part of ["a", "b", "c"]) await blob.stageBlock(id(part), part.repeat(10), 10);
  assert.equal(await blob.exists(), false);
  assert.deepEqual(
    (await blob.getBlockList("uncommitted")).uncommittedBlocks?.map(({ size }) => size),
    [10, 10, 10],
  );
  await blob.commitBlockList([id("c"), id("a")]);
  assert.equal((await blob.downloadToBuffer()).toString(), "c".repeat(10) + "a".repeat(10));
  const lists = await blob.getBlockList("all");
  assert.deepEqual(
    lists.committedBlocks?.map(({ name }) => name),
    [id("c"), id("a")],
  );
  assert.equal(lists.uncommittedBlocks?.length ?? 0, 0);
  await blob.stageBlock(id("d"), "d", 1);
  await blob.commitBlockList([id("a"), id("d"), id("c"), id("a")]);
  assert.equal((await blob.downloadToBuffer()).toString(), `${"a".repeat(10)}d${"c".repeat(10)}${"a".repeat(10)}`);
  assert.deepEqual(await failure(blob.commitBlockList([id("zz")])), { code: "InvalidBlockList", status: 400 });
  assert.equal((await blob.getProperties()).contentLength, 31);
});

test("a large upload in parallel blocks from a stream comes back byte for byte", async () => {
  const blob = (await newContainer()).getBlockBlobClient("large");
  const bytes = randomBytes(20_000_000);
  await blob.uploadData(bytes, { blockSize: 1_000_000, maxSingleShotSize: 1_000_000, concurrency: 5 });
  const back = await blob.downloadToBuffer(0, undefined, { concurrency: 4, blockSize: 3_000_000 });
  assert.equal(createHash("sha256").update(back).digest("hex"), createHash("sha256").update(bytes).digest("hex"));
});

test("conditions decide by ETag and by time", async () => {
  const blob = (await newContainer()).getBlockBlobClient("conditional");
  const first = await blob.upload("one", 3, { conditions: { ifNoneMatch: "*" } });
  assert.deepEqual(await failure(blob.upload("two", 3, { conditions: { ifNoneMatch: "*" } })), {
    code: "BlobAlreadyExists",
    status: 409,
  });
  assert.equal((await failure(blob.upload("two", 3, { conditions: { ifMatch: '"0x1"' } }))).status, 412);
  await blob.upload("two", 3, { conditions: { ifMatch: first.etag! } });
  assert.equal((await failure(blob.download(0, 1, { conditions: { ifMatch: first.etag! } }))).status, 412);
  const now = await blob.getProperties();
  assert.equal((await failure(blob.getProperties({ conditions: { ifNoneMatch: now.etag! } }))).status, 304);
  assert.equal(
    (await failure(blob.delete({ conditions: { ifUnmodifiedSince: new Date(Date.now() - hour) } }))).status,
    412,
  );
  assert.equal((await failure(blob.download(1_000))).status, 416);
});

test("blobs are listed flat, by folders, by prefix and in pages", async () => {
  const container = await newContainer();
  const names = ["a", "b/1", "b/2", "b/c/3", "b0", "c/\u{1F600}", "d"];
  for (const name of names)
    await container.getBlockBlobClient(name).upload(name, Buffer.byteLength(name), { metadata: { n: "1" } });
  const flat: string[] = [];
  for await (const blob of container.listBlobsFlat({ includeMetadata: true })) {
    flat.push(blob.name);
    assert.deepEqual(blob.metadata, { n: "1" });
  }
  assert.deepEqual(flat, names);
  for (const size of [1, 2, 3, 100]) {
    const seen: string[] = [];
    for await (const page of container.listBlobsByHierarchy("/").byPage({ maxPageSize: size })) {
      const items = [...(page.segment.blobPrefixes ?? []), ...page.segment.blobItems];
      assert.ok(items.length <= size);
      seen.push(...items.map(({ name }) => name));
    }
    assert.deepEqual(seen.sort(), ["a", "b/", "b0", "c/", "d"]);
  }
  const below: string[] = [];
  for await (const item of container.listBlobsByHierarchy("/", { prefix: "b/" })) below.push(item.name);
  assert.deepEqual(below.sort(), ["b/1", "b/2", "b/c/"]);
});

test("a page blob is sparse, written in pages, cleared, resized, snapshotted and compared", async () => {
  const container = await newContainer();
  const blob = container.getPageBlobClient("disk.vhd");
  const size = 8 * 1024 ** 3;
  await blob.create(size);
  const page = randomBytes(4096);
  await blob.uploadPages(page, 1024 ** 3, page.length);
  await blob.uploadPages(page, 1024 ** 3 + 4096, page.length);
  assert.deepEqual(await blob.downloadToBuffer(1024 ** 3, 8192), Buffer.concat([page, page]));
  assert.deepEqual(await blob.downloadToBuffer(0, 512), Buffer.alloc(512));
  // The client's count is the end of the range less its start.
  assert.deepEqual((await blob.getPageRanges()).pageRange, [{ offset: 1024 ** 3, count: 8191 }]);
  const { snapshot } = await blob.createSnapshot();
  const other = randomBytes(512);
  await blob.uploadPages(other, 1024 ** 3 + 512, 512);
  await blob.clearPages(1024 ** 3 + 4096, 4096);
  assert.deepEqual(await blob.withSnapshot(snapshot!).downloadToBuffer(1024 ** 3, 8192), Buffer.concat([page, page]));
  assert.deepEqual(
    await blob.downloadToBuffer(1024 ** 3, 8192),
    Buffer.concat([page.subarray(0, 512), other, page.subarray(1024), Buffer.alloc(4096)]),
  );
  const diff = await blob.getPageRangesDiff(0, size, snapshot!);
  assert.deepEqual(diff.pageRange, [{ offset: 1024 ** 3 + 512, count: 511 }]);
  assert.deepEqual(diff.clearRange, [{ offset: 1024 ** 3 + 4096, count: 4095 }]);
  await blob.resize(1024 ** 3 + 512);
  assert.deepEqual((await blob.getPageRanges()).pageRange, [{ offset: 1024 ** 3, count: 511 }]);
  assert.equal((await failure(blob.uploadPages(other, 1024 ** 3 + 512, 512))).code, "InvalidPageRange");
  assert.equal((await blob.updateSequenceNumber("max", 7)).blobSequenceNumber, 7);
  assert.equal(
    (await failure(blob.uploadPages(other, 0, 512, { conditions: { ifSequenceNumberLessThan: 7 } }))).code,
    "SequenceNumberConditionNotMet",
  );
  assert.equal((await failure(blob.delete())).code, "SnapshotsPresent");
  await blob.delete({ deleteSnapshots: "include" });
  assert.equal(await blob.exists(), false);
});

test("snapshots of a block blob keep what was, and are listed before it", async () => {
  const container = await newContainer();
  const blob = container.getBlockBlobClient("doc");
  await blob.upload("old", 3);
  const { snapshot } = await blob.createSnapshot();
  await blob.upload("new", 3);
  assert.equal((await blob.withSnapshot(snapshot!).downloadToBuffer()).toString(), "old");
  const listed = [];
  for await (const item of container.listBlobsFlat({ includeSnapshots: true })) listed.push(item.snapshot ?? "");
  assert.deepEqual(listed, [snapshot, ""]);
  await blob.withSnapshot(snapshot!).delete();
  assert.equal((await failure(blob.withSnapshot(snapshot!).download())).code, "BlobNotFound");
});

test("a lease keeps others from writing until it is released or broken", async () => {
  const blob = (await newContainer()).getBlockBlobClient("leased");
  await blob.upload("x", 1);
  const lease = blob.getBlobLeaseClient();
  const { leaseId } = await lease.acquireLease(15);
  assert.equal((await failure(blob.upload("y", 1))).code, "LeaseIdMissing");
  assert.equal((await failure(blob.getBlobLeaseClient().acquireLease(15))).code, "LeaseAlreadyPresent");
  await blob.upload("y", 1, { conditions: { leaseId } });
  assert.equal((await blob.getProperties()).leaseState, "leased");
  await lease.renewLease();
  await lease.releaseLease();
  await blob.upload("z", 1);
  await lease.acquireLease(-1);
  await lease.breakLease(0);
  assert.equal((await blob.getProperties()).leaseState, "broken");
  await blob.delete();
});

test("copies share nothing that can be changed: block, page, and from a signed URL", async () => {
  const container = await newContainer();
  const source = container.getPageBlobClient("source");
  await source.create(1024);
  await source.uploadPages(Buffer.alloc(512, 1), 0, 512);
  const copy = container.getPageBlobClient("copy");
  const done = await (await copy.beginCopyFromURL(source.url)).pollUntilDone();
  assert.equal(done.copyStatus, "success");
  await copy.uploadPages(Buffer.alloc(512, 2), 0, 512);
  assert.equal((await source.downloadToBuffer())[0], 1);
  assert.equal((await copy.downloadToBuffer())[0], 2);

  const other = await createAccount(storage, "copytarget");
  const target = other.client.getContainerClient("taken");
  await target.create();
  const text = container.getBlockBlobClient("text");
  await text.upload("hello", 5);
  const taken = target.getBlockBlobClient("taken");
  assert.equal((await failure(taken.syncCopyFromURL(text.url))).code, "CannotVerifyCopySource");
  const url = await text.generateSasUrl({ permissions: BlobSASPermissions.parse("r"), expiresOn: soon() });
  await taken.syncCopyFromURL(url);
  await text.delete();
  assert.equal((await taken.downloadToBuffer()).toString(), "hello");
  assert.equal((await failure(taken.syncCopyFromURL("https://example.com/a/b"))).code, "CannotVerifyCopySource");
  await taken.stageBlockFromURL(
    "AAAA",
    await taken.generateSasUrl({ permissions: BlobSASPermissions.parse("r"), expiresOn: soon() }),
    1,
    3,
  );
  await taken.commitBlockList(["AAAA"]);
  assert.equal((await taken.downloadToBuffer()).toString(), "ell");
});

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

test("a wrong checksum keeps the blob away", async () => {
  const blob = (await newContainer()).getBlockBlobClient("checked");
  const wrong = new Uint8Array(16);
  assert.equal(
    (await failure(blob.stageBlock("AAAA", "x", 1, { transactionalContentMD5: wrong }))).code,
    "Md5Mismatch",
  );
  assert.equal(
    (await failure(blob.stageBlock("AAAA", "x", 1, { transactionalContentCrc64: wrong.subarray(8) }))).code,
    "Crc64Mismatch",
  );
  assert.equal(await blob.exists(), false);
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
