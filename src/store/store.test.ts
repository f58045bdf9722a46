import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "./backends/memory.ts";
import { executeCollection } from "./collect/collect.ts";
import { planCollection } from "./collect/collection-plan.ts";
import { regionSize } from "./format/layout.ts";
import {
  collect,
  deletePoint,
  diffDisks,
  listPoints,
  openDisk,
  undeletePoint,
  verify,
  beginSession,
  readAttachment,
  defaultLimits,
} from "./index.ts";
import { backUp, bufferSource, gathered, newTestVault, openTestVault, patterned, restore } from "./testing/vaults.ts";

const MiB = 1024 * 1024;
const now = { ...defaultLimits, windowMilliseconds: 0, patienceMilliseconds: 0 };

test("a disk of any size comes back identical, holes and odd ends included", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  for (const size of [0, 1, 4095, 4096, 4097, MiB, MiB + 1, 3 * MiB + 513]) {
    const content = patterned(size, size);
    if (size > 2 * MiB) content.fill(0, MiB, 2 * MiB);
    const point = await backUp(vault, { item: `size ${size}` }, { os: bufferSource(content) });
    assert.ok((await restore(vault, point, "os")).equals(content), `size ${size}`);
  }
});

test("an increment without a bitmap stores the changed pages only, and both points restore", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  const before = patterned(6 * MiB, 1);
  const first = await backUp(vault, { item: "a" }, { os: bufferSource(before) });
  const after = Buffer.from(before);
  after.fill(7, MiB + 8192, MiB + 12288);
  after.fill(0, 3 * MiB, 3 * MiB + 4096);
  const second = await backUp(vault, { item: "a", parent: "latest" }, { os: bufferSource(after) });
  assert.equal(second.disks[0]?.statistics.bytesNew, 4096);
  assert.ok((await restore(vault, first, "os")).equals(before));
  assert.ok((await restore(vault, second, "os")).equals(after));
  const ranges = await gathered(diffDisks(vault, first, second, "os"));
  assert.deepEqual(ranges, [
    { offset: MiB + 8192, length: 4096 },
    { offset: 3 * MiB, length: 4096 },
  ]);
});

test("an increment by dirty runs reads the runs only", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  const before = patterned(6 * MiB, 2);
  await backUp(vault, { item: "a" }, { os: bufferSource(before) });
  const after = Buffer.from(before);
  after.fill(9, 2 * MiB + 65536, 2 * MiB + 65536 + 4096);
  const dirty = [{ offset: 2 * MiB + 65536, length: 65536 }];
  const second = await backUp(vault, { item: "a", parent: "latest" }, { os: bufferSource(after, { dirty }) });
  assert.equal(second.disks[0]?.statistics.bytesRead, 65536);
  assert.equal(second.disks[0]?.statistics.bytesNew, 4096);
  assert.ok((await restore(vault, second, "os")).equals(after));
  // The next comparison does not know the region's hash: it reads and finds nothing new.
  const third = await backUp(vault, { item: "a", parent: "latest" }, { os: bufferSource(after) });
  assert.equal(third.disks[0]?.statistics.bytesNew, 0);
  assert.ok((await restore(vault, third, "os")).equals(after));
});

test("a disk may grow and shrink between points", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  let previous = patterned(3 * MiB + 4096, 3);
  await backUp(vault, { item: "a" }, { os: bufferSource(previous) });
  for (const size of [140 * MiB, 2 * MiB + 100, 129 * MiB, 0, 5000]) {
    const content = Buffer.alloc(size);
    previous.copy(content);
    if (size > 0) content.fill(5, size - 1);
    const point = await backUp(
      vault,
      { item: "a", parent: "latest" },
      { os: bufferSource(content, { dirty: size > 0 ? [{ offset: size - 1, length: 1 }] : [] }) },
    );
    assert.ok((await restore(vault, point, "os")).equals(content), `size ${size}`);
    previous = content;
  }
});

test("random reads and extents of a point agree with its content", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  const content = patterned(5 * MiB + 700, 4);
  content.fill(0, 2 * MiB, 4 * MiB);
  const point = await backUp(vault, { item: "a" }, { os: bufferSource(content) });
  const reader = await openDisk(vault, point, "os", { cacheBytes: 2 * MiB });
  for (const [offset, length] of [
    [0, 512],
    [512, 100],
    [MiB - 5, 10],
    [2 * MiB - 100, 2 * MiB + 200],
    [content.length - 3, 3],
  ] as const) {
    const bytes = Buffer.alloc(length, 1);
    await reader.read(bytes, offset);
    assert.ok(bytes.equals(content.subarray(offset, offset + length)), `${length} at ${offset}`);
  }
  assert.deepEqual(await gathered(reader.extents(0, content.length)), [
    { offset: 0, length: 2 * MiB, kind: "data" },
    { offset: 2 * MiB, length: 2 * MiB, kind: "zero" },
    { offset: 4 * MiB, length: MiB + 700, kind: "data" },
  ]);
  await assert.rejects(reader.read(Buffer.alloc(2), content.length - 1), { code: "DiskSizeInvalid" });
});

test("attachments and metadata come back; a lost index changes nothing", async () => {
  const store = memoryStore();
  const content = patterned(2 * MiB, 5);
  const machine = patterned(2 * MiB + 17, 6);
  {
    await using vault = await newTestVault(store);
    await using session = await beginSession(vault, { item: "machine / ü" });
    await session.addDisk("os", bufferSource(content));
    await session.addAttachment("machine.xml", machine);
    await session.commit({ consistency: "crash", frozen: 12.5 });
  }
  for (const { name } of await gathered(store.list("index/"))) await store.delete(name);
  await using vault = await openTestVault(store);
  const { points, problems } = await listPoints(vault, "machine / ü");
  assert.deepEqual(problems, []);
  assert.deepEqual(points[0]?.metadata, { consistency: "crash", frozen: 12.5 });
  assert.ok((await restore(vault, points[0]!, "os")).equals(content));
  assert.ok((await readAttachment(vault, points[0]!, "machine.xml")).equals(machine));
});

test("collections remove what deleted points alone needed, after it was condemned; deletion can be undone until then", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  const kept = patterned(3 * MiB, 7);
  const gone = patterned(3 * MiB, 8);
  const first = await backUp(vault, { item: "a" }, { os: bufferSource(kept) });
  const second = await backUp(vault, { item: "b" }, { os: bufferSource(gone) });
  await deletePoint(vault, second.name);
  await collect(vault, { limits: { ...now, windowMilliseconds: 1e9 } });
  await undeletePoint(vault, second.name);
  assert.ok((await restore(vault, second, "os")).equals(gone));
  await deletePoint(vault, second.name);
  const one = await collect(vault, { limits: now });
  assert.ok(one.plan.newlyCondemned.length > 0);
  assert.equal(one.deletedPacks.length, 0);
  const waiting = await collect(vault, { limits: { ...now, windowMilliseconds: 1e9 } });
  assert.deepEqual([waiting.plan.doom, waiting.deletedPacks], [[], []], "the window is not over");
  const two = await collect(vault, { limits: now });
  assert.deepEqual([...two.deletedPacks].sort(), [...one.plan.newlyCondemned].sort());
  assert.ok((await restore(vault, first, "os")).equals(kept));
  const checked = await verify(vault);
  assert.deepEqual(checked.broken, []);
  const three = await collect(vault, { limits: now });
  assert.deepEqual(three.plan.newlyCondemned, []);
  const left = (await gathered(store.list(""))).map(({ name }) => name.split("/")[0]);
  assert.ok(!left.includes("collect") || three.plan.condemned.length === 0, left.join());
});

test("a dedup hit rescues a condemned pack; an open session keeps doomed ones", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  const content = patterned(3 * MiB, 9);
  const first = await backUp(vault, { item: "a" }, { os: bufferSource(content) });
  await deletePoint(vault, first.name);
  await collect(vault, { limits: now });
  const session = await beginSession(vault, { item: "b" });
  const patient = { ...now, patienceMilliseconds: 1e9 };
  await using collector = await openTestVault(store);
  const doomed = await collect(collector, { limits: patient });
  assert.deepEqual(doomed.waitingFor, [session.id]);
  const added = await session.addDisk("os", bufferSource(content));
  assert.equal(added.statistics.bytesNew, 0, "everything was found");
  const point = await session.commit();
  const after = await collect(collector, { limits: patient });
  assert.ok(after.releasedPacks.length > 0);
  assert.deepEqual(after.deletedPacks.length, 0, "the map pack of the deleted point is the same map");
  assert.ok((await restore(vault, point, "os")).equals(content));
});

test("nothing goes when a point has become unreadable since the collection was planned", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  const kept = await backUp(vault, { item: "a" }, { os: bufferSource(patterned(3 * MiB, 7)) });
  const gone = await backUp(vault, { item: "b" }, { os: bufferSource(patterned(3 * MiB, 8)) });
  await deletePoint(vault, gone.name);
  await collect(vault, { limits: now });
  const plan = await planCollection(vault, now);
  assert.ok(plan.doom.length > 0);
  const whole = await store.get(`points/${kept.name}`);
  await store.put(`points/${kept.name}`, Buffer.alloc(whole.length, 1));
  const { deletedPacks } = await executeCollection(vault, plan, { limits: now });
  assert.deepEqual(deletedPacks, []);
  await store.put(`points/${kept.name}`, whole);
  assert.ok((await collect(vault, { limits: now })).deletedPacks.length > 0, "they go when it is read again");
});

test("a session that was given up cannot commit, and nothing of it is listed", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  const session = await beginSession(vault, { item: "a" });
  await session.addDisk("os", bufferSource(patterned(regionSize, 10)));
  await collect(vault, { limits: { ...now, patienceMilliseconds: -1 } });
  await assert.rejects(session.commit(), { code: "SessionEvicted" });
  assert.deepEqual((await listPoints(vault)).points, []);
});

test("a vault that is closed ends the sessions that were left open: no signs of life, nothing to commit", async (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  const store = memoryStore();
  const vault = await newTestVault(store);
  const session = await beginSession(vault, { item: "a" });
  await session.addDisk("os", bufferSource(patterned(regionSize, 16)));
  const records = async () => (await gathered(store.list("sessions/"))).map(({ name }) => name.replace(/^.*\./, ""));
  await vault[Symbol.asyncDispose]();
  context.mock.timers.tick(60 * 60_000);
  await assert.rejects(session.commit(), { code: "VaultClosed" });
  assert.deepEqual(await records(), ["open"]);
});

test("mostly dead packs are written again", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store, { packTarget: 4 * MiB });
  const keep = patterned(MiB, 11);
  const drop = Buffer.concat([patterned(3 * MiB, 12), keep]);
  const big = await backUp(vault, { item: "a" }, { os: bufferSource(drop) });
  const small = await backUp(vault, { item: "b" }, { os: bufferSource(keep) });
  await deletePoint(vault, big.name);
  const sizes = async () => (await gathered(store.list("packs/"))).reduce((sum, { size }) => sum + size, 0);
  const before = await sizes();
  for (let round = 0; round < 4; round += 1) await collect(vault, { limits: now });
  assert.ok((await sizes()) < before / 2, `${await sizes()} of ${before}`);
  assert.ok((await restore(vault, small, "os")).equals(keep));
  assert.deepEqual((await verify(vault)).broken, []);
});

test("two sessions of one process: what one has not made durable yet is nothing that the other relies on", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store, { packTarget: 8 * MiB });
  const content = patterned(3 * MiB, 13);
  const one = await beginSession(vault, { item: "a" });
  const two = await beginSession(vault, { item: "b" });
  await Promise.all([one.addDisk("os", bufferSource(content)), two.addDisk("os", bufferSource(content))]);
  await two.addDisk("data", bufferSource(content));
  await one.abandon();
  const point = await two.commit();
  await using other = await openTestVault(store);
  assert.ok((await restore(other, point, "os")).equals(content));
  assert.ok((await restore(other, point, "data")).equals(content));
});

test("after many increments a region is read from a bounded number of pieces", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store, { packTarget: MiB });
  const content = patterned(2 * MiB, 14);
  await backUp(vault, { item: "a" }, { os: bufferSource(content) });
  let point;
  for (let round = 0; round < 60; round += 1) {
    const page = ((round * 37) % 512) * 4096;
    content.fill(round, page, page + 4096);
    const dirty = round % 2 === 0 ? [{ offset: page - (page % 65536), length: 65536 }] : undefined;
    point = await backUp(vault, { item: "a", parent: "latest" }, { os: bufferSource(content, { dirty }) });
  }
  assert.ok((await restore(vault, point!, "os")).equals(content));
  const { root, level } = point!.disks[0]!;
  const leafId = await vault.maps.leafId({ root: Buffer.from(root!, "hex"), level }, 0);
  const { extents } = await vault.maps.leaf(leafId);
  assert.ok(extents.length <= 2 * 98, `${extents.length} extents`);
  assert.ok(new Set(extents.map(({ id }) => id.toString("hex"))).size <= 2 * 34);
});

test("a disk of a terabyte with little in it costs what is in it", async () => {
  const store = memoryStore();
  await using vault = await newTestVault(store);
  const TiB = 1024 ** 4;
  const at = TiB / 2 + 5 * MiB;
  const content = patterned(2 * MiB, 15);
  const source = {
    size: TiB,
    read: async (into: Uint8Array, offset: number) =>
      void into.set(content.subarray(offset - at, offset - at + into.length)),
    extents: async function* () {
      yield { offset: 0, length: at, kind: "zero" as const };
      yield { offset: at, length: content.length, kind: "data" as const };
      yield { offset: at + content.length, length: TiB - at - content.length, kind: "zero" as const };
    },
  };
  const point = await backUp(vault, { item: "a" }, { os: source });
  assert.equal(point.disks[0]?.statistics.bytesRead, content.length);
  const again = await backUp(vault, { item: "a", parent: "latest" }, { os: source });
  assert.equal(again.disks[0]?.root, point.disks[0]?.root);
  const reader = await openDisk(vault, again, "os");
  const bytes = Buffer.alloc(content.length + 8192, 1);
  await reader.read(bytes, at - 4096);
  assert.ok(bytes.subarray(4096, -4096).equals(content));
  const extents = await gathered(reader.extents(0, TiB));
  assert.deepEqual(
    extents.map(({ length }) => length),
    [at, content.length, TiB - at - content.length],
  );
});
