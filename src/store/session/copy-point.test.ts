import assert from "node:assert/strict";
import { test } from "node:test";
import { manualClock, type ManualClock } from "../../lib/clock.ts";
import { memoryStore } from "../backends/memory.ts";
import { collect } from "../backends/testing/object-store-contract.ts";
import { collect as collectGarbage } from "../collect/collect.ts";
import { defaultLimits } from "../collect/collection-plan.ts";
import { exportConfig, importConfig } from "../keys/rekey.ts";
import { deletePoint, listPoints, type Point } from "../points/points.ts";
import { backUp, bufferSource, newTestVault, openTestVault, patterned, restore, testKey } from "../testing/vaults.ts";
import type { Vault } from "../vault.ts";
import { verify } from "../verify/verify.ts";
import { copyPoint } from "./copy-point.ts";
import { decideEnd, writeOpen } from "./session-records.ts";

const mebibyte = 1024 ** 2;

async function twoTiers(): Promise<{ hot: Vault; vault: Vault } & AsyncDisposable> {
  const clock = manualClock(Date.parse("2027-01-01T00:00:00Z"));
  const [from, to] = [memoryStore({ location: "memory:hot", clock }), memoryStore({ location: "memory:vault", clock })];
  const hot = await newTestVault(from, { clock });
  await importConfig(to, await exportConfig(from), testKey);
  const vault = await openTestVault(to, { clock });
  return {
    hot,
    vault,
    [Symbol.asyncDispose]: async () => {
      await hot[Symbol.asyncDispose]();
      await vault[Symbol.asyncDispose]();
    },
  };
}

const packsOf = async ({ store }: Vault): Promise<string[]> =>
  (await collect(store.list("packs/"))).map(({ name }) => name);

/** Points of a disk of which each has another first megabyte. */
async function pointsIn(hot: Vault, count: number): Promise<{ point: Point; content: Buffer }[]> {
  const made: { point: Point; content: Buffer }[] = [];
  const content = patterned(4 * mebibyte, 1);
  for (let number = 0; number < count; number += 1) {
    content.set(patterned(mebibyte, 100 + number), 0);
    (hot.clock as ManualClock).advance(1000);
    const point = await backUp(hot, { item: "vm", parent: "latest" }, { os: bufferSource(content) });
    made.push({ point, content: Buffer.from(content) });
  }
  return made;
}

const isWhole = async (vault: Vault): Promise<void> => {
  const { broken, indexProblems } = await verify(vault, { quarantine: false });
  assert.deepEqual([broken, indexProblems, [...vault.index.lost]], [[], [], []]);
};

test("a point brings the packs that it needs and no other point's", async () => {
  await using tiers = await twoTiers();
  const { hot, vault } = tiers;
  const [first, second, third] = await pointsIn(hot, 3);
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  await copyPoint(hot, vault, first.point.name);
  const before = new Set(await packsOf(vault));
  const copied = await copyPoint(hot, vault, third.point.name);
  const sent = (await packsOf(vault)).filter((name) => !before.has(name));
  assert.equal(sent.length, copied.packs);
  const all = await packsOf(hot);
  assert.ok(before.size + sent.length < all.length, `${before.size} and ${sent.length} of ${all.length} packs`);
  for (const { point, content } of [first, third]) {
    assert.ok((await restore(vault, point, "os")).equals(content), point.name);
  }
  const { points, gaps } = await listPoints(vault, "vm");
  assert.deepEqual([points.map(({ name }) => name), gaps], [[first.point.name, third.point.name], []]);
  assert.deepEqual(await collect(vault.store.list("sessions/")), []);
  await isWhole(vault);
  assert.deepEqual(await copyPoint(hot, vault, third.point.name), { packs: 0, bytes: 0 });
});

test("blobs that the target has in packs of its own are not sent in others", async () => {
  await using tiers = await twoTiers();
  const { hot, vault } = tiers;
  const [first] = await pointsIn(hot, 1);
  assert.ok(first !== undefined);
  // The same content, in packs of other names.
  await backUp(vault, { item: "other" }, { os: bufferSource(first.content) });
  const { bytes } = await copyPoint(hot, vault, first.point.name);
  assert.ok(bytes < mebibyte / 2, `${bytes} bytes were sent`);
  assert.ok((await restore(vault, first.point, "os")).equals(first.content));
  await isWhole(vault);
});

test("an older point that is sent late finds its place in the item's history", async () => {
  await using tiers = await twoTiers();
  const { hot, vault } = tiers;
  const made = await pointsIn(hot, 3);
  for (const index of [0, 2, 1]) await copyPoint(hot, vault, made[index]?.point.name ?? assert.fail());
  assert.deepEqual((await listPoints(vault, "vm")).gaps, []);
  for (const { point, content } of made) assert.ok((await restore(vault, point, "os")).equals(content));
});

test("packs that the target is about to delete are not relied on; afterwards they are sent again", async () => {
  await using tiers = await twoTiers();
  const { hot, vault } = tiers;
  const clock = vault.clock as ManualClock;
  const [first] = await pointsIn(hot, 1);
  assert.ok(first !== undefined);
  await copyPoint(hot, vault, first.point.name);
  await deletePoint(vault, first.point.name);
  // Somebody is at work there, so what is doomed waits.
  await writeOpen(vault.store, vault.keys, "00112233aabbccdd", [], clock.now());
  const limits = { ...defaultLimits, windowMilliseconds: 1, patienceMilliseconds: 1e12 };
  for (let round = 0; round < 4; round += 1) {
    clock.advance(60_000);
    await collectGarbage(vault, { limits });
  }
  assert.ok((await collect(vault.store.list("collect/"))).some(({ name }) => name.endsWith(".doomed")));
  await assert.rejects(copyPoint(hot, vault, first.point.name), { code: "CollectionBusy" });
  assert.deepEqual(
    (await listPoints(vault, "vm")).points.map(({ name }) => name),
    [],
  );
  await vault.store.delete("sessions/00112233aabbccdd.open");
  await collectGarbage(vault, { limits });
  await copyPoint(hot, vault, first.point.name);
  assert.ok((await restore(vault, first.point, "os")).equals(first.content));
  await isWhole(vault);
});

test("a copy that died after its decision is finished by the next one", async () => {
  await using tiers = await twoTiers();
  const { hot, vault } = tiers;
  const [first, second] = await pointsIn(hot, 2);
  assert.ok(first !== undefined && second !== undefined);
  await copyPoint(hot, vault, first.point.name);
  const name = `points/${first.point.name}`;
  const sealed = await vault.store.get(name);
  await vault.store.delete(name);
  const session = "0011223344556677";
  await writeOpen(vault.store, vault.keys, session, [], vault.clock.now());
  const point = { name: first.point.name, sealed: sealed.toString("base64") };
  assert.ok(await decideEnd(vault.store, vault.keys, session, { v: 1, outcome: "committed", point }));
  await copyPoint(hot, vault, second.point.name);
  for (const { point: copied, content } of [first, second])
    assert.ok((await restore(vault, copied, "os")).equals(content));
});

test("the copy may be locked although its source is not", async () => {
  await using tiers = await twoTiers();
  const { hot, vault } = tiers;
  const [first] = await pointsIn(hot, 1);
  assert.ok(first !== undefined);
  await copyPoint(hot, vault, first.point.name, { lockedUntil: vault.clock.now() + 1000 });
  await assert.rejects(deletePoint(vault, first.point.name), { code: "PointLocked" });
  await deletePoint(hot, first.point.name);
});

test("a place that holds another vault is refused", async () => {
  await using hot = await newTestVault(memoryStore(), { clock: manualClock(0) });
  await using other = await newTestVault(memoryStore());
  const [first] = await pointsIn(hot, 1);
  await assert.rejects(copyPoint(hot, other, first?.point.name ?? assert.fail()), { code: "VaultExists" });
});
