import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "../backends/memory.ts";
import type { ObjectStore } from "../backends/object-store.ts";
import { readPoint } from "../points/points.ts";
import { backUp, bufferSource, gathered, newTestVault, openTestVault, patterned } from "../testing/vaults.ts";
import { withFreshIndex } from "../vault.ts";
import { neededBlobs } from "./needed-blobs.ts";
import { verify } from "./verify.ts";

const mebibyte = 1024 ** 2;

/** Three points of which each has another first megabyte of four. */
async function threePoints(store: ObjectStore): Promise<string[]> {
  await using vault = await newTestVault(store);
  const content = patterned(4 * mebibyte, 1);
  const names: string[] = [];
  for (let number = 0; number < 3; number += 1) {
    content.set(patterned(mebibyte, 100 + number), 0);
    names.push((await backUp(vault, { item: "vm", parent: "latest" }, { os: bufferSource(content) })).name);
  }
  return names;
}

test("what points share is opened once, pack by pack", async () => {
  const store = memoryStore();
  const names = await threePoints(store);
  await using opened = await openTestVault(store);
  const vault = withFreshIndex(opened);
  await vault.index.refresh();
  const needed = neededBlobs(vault, () => assert.fail("nothing is lost"));
  for (const name of names) await needed.add(await readPoint(vault, name as Parameters<typeof readPoint>[1]));
  const located = [...needed.located()].flat();
  const ids = new Set(located.map(({ id }) => id.toString("hex")));
  assert.equal(ids.size, located.length);
  assert.equal(needed.count, located.length);
  assert.deepEqual(
    located.map(({ pack }) => pack),
    located.map(({ pack }) => pack).toSorted((a, b) => a - b),
  );
  const { blobsChecked, pointsChecked, broken } = await verify(opened);
  assert.deepEqual([blobsChecked, pointsChecked, broken], [located.length, 3, []]);
});

test("every point that needs a lost pack is named, and no other", async () => {
  const store = memoryStore();
  const names = await threePoints(store);
  await using opened = await openTestVault(store);
  for (const { name } of await gathered(store.list("packs/"))) {
    const content = await store.get(name);
    await store.delete(name);
    const wanted: string[] = [];
    for (const point of names) {
      const alone = await verify(opened, { points: [point as never], quarantine: false });
      if (alone.broken.length > 0) wanted.push(point);
    }
    const { broken } = await verify(opened, { quarantine: false });
    assert.deepEqual(
      broken.map((point) => point.name),
      wanted,
      name,
    );
    assert.ok(broken.every(({ problems }) => problems.length > 0 && problems.length <= 20));
    await store.put(name, content);
  }
  assert.deepEqual((await verify(opened)).broken, []);
});
