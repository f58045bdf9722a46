import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openBlobs, type Blobs } from "../blobs/blobs.ts";
import type { BlobAddress } from "../blobs/names.ts";
import { platformKeyOf } from "../backup/stores/store-key.ts";
import { collectionStore } from "../backup/stores/store-name.ts";
import { openStores, type Stores } from "../backup/stores/stores.ts";
import type { Database } from "../db/database.ts";
import { temporaryDatabase } from "../db/testing/temporary-database.ts";
import { manualClock, systemClock } from "../lib/clock.ts";
import { newGuid, randomBytes } from "../lib/random.ts";
import { secretBox } from "../lib/secret-box.ts";
import { backUp, bufferSource, patterned } from "../store/testing/vaults.ts";
import { openDisks, type Disks } from "./disks.ts";
import { exportAccount, type GrantedDisk } from "./grants.ts";
import { imageOf, readyImageOf, reserveImage } from "./image-rows.ts";

const mebibyte = 1024 * 1024;
const content = patterned(3 * mebibyte + 4096, 5);
const clock = manualClock(systemClock.now());
const key = randomBytes(32);
let folder: string;
let database: Database;
let stores: Stores;
let blobs: Blobs;
let disks: Disks;
let point: GrantedDisk & { kind: "point" };

const openAll = async (): Promise<void> => {
  blobs = await openBlobs({
    database,
    secretBox: secretBox(key),
    folder: join(folder, "blobs"),
    origin: () => "https://localhost:8443",
    report: (error) => assert.fail(String(error)),
  });
  disks = await openDisks({ folder, database, blobs, stores, report: (error) => assert.fail(String(error)) });
};

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-disks-"));
  database = await temporaryDatabase(clock);
  stores = openStores({ folder, database, secretBox: secretBox(key), keyOf: platformKeyOf(key), workers: 1 });
  await openAll();
  const name = collectionStore(newGuid());
  await stores.create(name, { location: { kind: "folder" } });
  await using opened = await stores.open(name);
  const taken = await backUp(opened.vault, { item: "machine" }, { os: bufferSource(content) });
  point = { kind: "point", store: name, point: taken.name, disk: "os", size: content.length, uniqueId: newGuid() };
});
after(async () => {
  await disks[Symbol.asyncDispose]();
  await blobs[Symbol.asyncDispose]();
  await stores[Symbol.asyncDispose]();
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

async function reserve(owner: string): Promise<string> {
  const imageId = newGuid();
  await database.transaction((trx) => reserveImage(trx, imageId, owner));
  return imageId;
}

const fileOf = (imageId: string): string => join(folder, "disks", `${imageId}.raw`);

async function download(url: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const { body } = await blobs.read(addressOf(url), AbortSignal.timeout(120_000));
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces);
}

function addressOf(url: string): BlobAddress {
  const [, account = "", container = "", name = ""] = new URL(url).pathname.split("/");
  assert.equal(account, exportAccount);
  return { account, container, name };
}

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test("an empty disk takes no space, grows, never shrinks, and goes with its owner", async () => {
  const imageId = await reserve("/disks/Empty");
  await assert.rejects(readyImageOf(database.kysely, "/disks/empty"), { code: "DiskImageNotReady" });
  await disks.images.write(imageId, { kind: "empty" }, 5 * mebibyte);
  await disks.images.grow(imageId, 8 * mebibyte);
  await assert.rejects(disks.images.grow(imageId, mebibyte), { code: "DiskShrinkRefused" });
  const status = statSync(fileOf(imageId));
  assert.deepEqual([status.size, status.blocks], [8 * mebibyte, 0]);
  assert.equal((await readyImageOf(database.kysely, "/disks/empty")).size, 8 * mebibyte);
  await database.transaction((trx) => disks.images.remove(trx, "/disks/EMPTY"));
  assert.equal(await imageOf(database.kysely, "/disks/empty"), undefined);
  await disks.images.sweep();
  assert.throws(() => statSync(fileOf(imageId)), { code: "ENOENT" });
});

test("a disk from a point equals it; a copy equals the disk, keeps its holes and may be larger", async () => {
  const restored = await reserve("/disks/restored");
  assert.equal(await disks.images.write(restored, point, 0), content.length);
  assert.ok(readFileSync(fileOf(restored)).equals(content));
  execFileSync("qemu-io", ["-f", "raw", "-c", "discard 1M 1M", fileOf(restored)]);
  const copied = await reserve("/snapshots/copied");
  assert.equal(await disks.images.write(copied, { kind: "image", imageId: restored }, 6 * mebibyte), 6 * mebibyte);
  assert.ok(
    readFileSync(fileOf(copied))
      .subarray(0, content.length)
      .equals(readFileSync(fileOf(restored))),
  );
  assert.ok(statSync(fileOf(copied)).blocks * 512 <= content.length - mebibyte);
});

test("what is downloaded is a fixed VHD that QEMU reads and that becomes the same disk again", async () => {
  for (const granted of [point, await imageGrant()]) {
    const url = await disks.grants.give("/disks/x", granted, 3600);
    assert.match(url, /^https:\/\/localhost:8443\/diskexports\/.*[?&]sp=r&.*sig=/);
    const vhd = await download(url);
    const path = join(folder, "download.vhd");
    writeFileSync(path, vhd);
    const raw = join(folder, "compare.raw");
    writeFileSync(raw, content);
    execFileSync("qemu-img", ["compare", "-f", "vpc", "-F", "raw", path, raw]);

    const imported = await reserve(`/disks/imported-${granted.kind}`);
    await disks.images.write(imported, { kind: "vhd", size: vhd.length, body: inPieces(vhd, 70_001) }, 0);
    assert.ok(readFileSync(fileOf(imported)).equals(content));
  }
});

async function imageGrant(): Promise<GrantedDisk> {
  const { imageId, size } = await readyImageOf(database.kysely, "/disks/imported-point").catch(async () => {
    const made = await reserve(`/disks/granted-${newGuid()}`);
    return { imageId: made, size: await disks.images.write(made, point, 0) };
  });
  return { kind: "image", imageId, size, uniqueId: imageId };
}

test("what does not end as a fixed VHD becomes no disk", async () => {
  const vhd = await download(await disks.grants.give("/disks/x", point, 3600));
  const bad = Buffer.from(vhd);
  bad.writeUInt8(0, vhd.length - 512);
  const short = vhd.subarray(0, vhd.length - 1024);
  for (const body of [bad, short, Buffer.alloc(4096), Buffer.concat([vhd, vhd])]) {
    const imageId = await reserve(`/disks/${newGuid()}`);
    const written = disks.images.write(imageId, { kind: "vhd", size: vhd.length, body: inPieces(body, 65_536) }, 0);
    await assert.rejects(written, { code: "DiskImportRefused" });
    assert.deepEqual(
      readdirSync(join(folder, "disks")).filter((name) => name.includes(imageId)),
      [],
    );
  }
});

test("holes of a disk are no pages of its blob, and any range is what the whole has there", async () => {
  const imageId = await reserve("/disks/sparse");
  await disks.images.write(imageId, { kind: "empty" }, 4 * mebibyte);
  execFileSync("qemu-io", ["-f", "raw", "-c", "write -P 9 1M 64k", fileOf(imageId)]);
  const granted = { kind: "image", imageId, size: 4 * mebibyte, uniqueId: imageId } as const;
  const url = await disks.grants.give("/disks/sparse", granted, 60);
  const whole = await download(url);
  const blob = blobs.store.virtual.find(addressOf(url));
  assert.ok(blob !== undefined);
  const signal = AbortSignal.timeout(120_000);
  assert.deepEqual(await blob.ranges?.(0, blob.size, signal), [
    { start: mebibyte, end: mebibyte + 65_536 },
    { start: 4 * mebibyte, end: 4 * mebibyte + 512 },
  ]);
  for (const [from, to] of [
    [0, 1],
    [mebibyte - 10, mebibyte + 10],
    [4 * mebibyte - 100, 4 * mebibyte + 100],
    [4 * mebibyte + 511, 4 * mebibyte + 512],
  ] as const) {
    const pieces: Uint8Array[] = [];
    for await (const piece of blob.read(from, to - from, signal)) pieces.push(piece);
    assert.ok(Buffer.concat(pieces).equals(whole.subarray(from, to)), `${from}-${to}`);
  }
});

test("access ends when it is revoked and when its time is over, and outlives a restart before", async () => {
  const first = await disks.grants.give("/disks/One", point, 3600);
  const second = await disks.grants.give("/disks/two", point, 60);
  assert.equal(await disks.grants.isGiven("/DISKS/one"), true);
  await disks[Symbol.asyncDispose]();
  await blobs[Symbol.asyncDispose]();
  await openAll();
  assert.equal((await download(first)).length, content.length + 512);
  clock.advance(61_000);
  assert.equal(await disks.grants.isGiven("/disks/two"), false);
  await disks.maintain();
  await assert.rejects(download(second));
  await disks.grants.revoke("/disks/one");
  await assert.rejects(download(first));
  assert.equal(await disks.grants.isGiven("/disks/one"), false);
});

test("what a killed predecessor left in the folder is swept away", async () => {
  const kept = await reserve("/disks/kept");
  await disks.images.write(kept, { kind: "empty" }, mebibyte);
  for (const name of [`${newGuid()}.raw`, `${kept}.raw.partial`, `.${kept}.raw.${newGuid()}.partial`])
    writeFileSync(join(folder, "disks", name), "left");
  const removed = await disks.images.sweep();
  assert.equal(removed.length, 3);
  assert.equal(statSync(fileOf(kept)).size, mebibyte);
});
