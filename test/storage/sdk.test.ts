// Microsoft's JavaScript client against a real service.

import assert from "node:assert/strict";
import type { ContainerClient } from "@azure/storage-blob";
import { BlobSASPermissions } from "@azure/storage-blob";
import { createHash, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { createAccount, failure, startStorage, type StorageService, type TestAccount } from "./support.ts";

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

test("a range comes with the checksum that was asked for", async () => {
  const blob = (await newContainer()).getBlockBlobClient("ranges");
  await blob.upload("hello world", 11);
  const crc = (await blob.download(6, 5, { rangeGetContentCrc64: true })).contentCrc64;
  // What a block of the same bytes is checked by.
  await blob.stageBlock("AAAA", "world", 5, { transactionalContentCrc64: crc ?? new Uint8Array(8) });
  const md5 = (await blob.download(6, 5, { rangeGetContentMD5: true })).contentMD5;
  await blob.stageBlock("AAAB", "world", 5, { transactionalContentMD5: md5 ?? new Uint8Array(16) });
});

test("what is not offered is refused, and not left out in silence", async () => {
  const blob = (await newContainer()).getBlockBlobClient("plain");
  const key = {
    encryptionKey: Buffer.alloc(32).toString("base64"),
    encryptionKeySha256: "x",
    encryptionAlgorithm: "AES256",
  } as const;
  const asked = [
    () => blob.upload("x", 1, { tags: { a: "b" } }),
    () => blob.upload("x", 1, { customerProvidedKey: key }),
    () => blob.upload("x", 1, { encryptionScope: "scope" }),
    () => blob.upload("x", 1, { conditions: { tagConditions: "a = 'b'" } }),
    () => blob.withVersion("2026-01-01T00:00:00.0000000Z").getProperties(),
  ];
  for (const ask of asked) assert.equal((await failure(ask())).code, "FeatureNotSupported");
  assert.equal(await blob.exists(), false);
});
