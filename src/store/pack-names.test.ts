// Packs that are named by BLAKE2b-512, which are those of stores that do not compare a SHA-256 themselves.

import assert from "node:assert/strict";
import { test } from "node:test";
import { copyObjects, planCopy } from "./backends/copy-objects.ts";
import { memoryStore } from "./backends/memory.ts";
import type { ObjectStore } from "./backends/object-store.ts";
import { contentName } from "./format/content-name.ts";
import { hashOfName } from "./format/object-names.ts";
import { collect, copyPoint, createVault, defaultLimits, deletePoint, repair, scrub, verify } from "./index.ts";
import { backUp, bufferSource, gathered, openTestVault, patterned, restore, testKey } from "./testing/vaults.ts";

const MiB = 1024 * 1024;
const content = patterned(2 * MiB + 5000, 1);
const now = { ...defaultLimits, windowMilliseconds: 0, patienceMilliseconds: 0 };

/** Like a folder: what is announced of the content is compared by nobody. */
function placeWithoutChecks(): ObjectStore {
  const store = memoryStore();
  return { ...store, supports: { ...store.supports, contentCheck: false } };
}

async function newVault(): Promise<ObjectStore> {
  const store = placeWithoutChecks();
  await createVault(store, testKey, { packTarget: 1 << 16, nameHash: "blake2b512" });
  return store;
}

const packsIn = async (store: ObjectStore): Promise<readonly string[]> =>
  (await gathered(store.list("packs/"))).map(({ name }) => name);
const kindsIn = async (store: ObjectStore): Promise<string> => {
  const kinds = await Promise.all(
    (await packsIn(store)).map(async (name) => String.fromCharCode((await store.get(name))[1] ?? 0)),
  );
  return [...new Set(kinds)].sort().join("");
};

test("each flipped bit is found without a key, that of the kind included; a copy in another place heals", async () => {
  const store = await newVault();
  await using vault = await openTestVault(store);
  const point = await backUp(vault, { item: "a" }, { os: bufferSource(content) });
  assert.equal(await kindsIn(store), "B");
  assert.deepEqual(await scrub(store), []);
  const copy = memoryStore();
  await copyObjects(store, copy, await planCopy(store, copy), { readBack: true });

  const [name = ""] = await packsIn(store);
  const whole = await store.get(name);
  const kind = { B: 0x42, P: 0x50 };
  for (const [at, byte] of [
    [1, kind.P],
    [1, kind.B ^ 0x80],
    [whole.length - 1, 0xff],
    [60, (whole[60] ?? 0) ^ 1],
  ] as const) {
    const changed = Buffer.from(whole);
    changed[at] = byte;
    await store.put(name, changed);
    assert.deepEqual(
      (await scrub(store)).map(({ object, problem }) => [object, problem]),
      [[name, "changed"]],
    );
  }
  assert.equal((await verify(vault)).broken.length, 1);
  assert.deepEqual(await repair(vault, copy), { repaired: [hashOfName(name)], stillBad: [] });
  assert.ok((await store.get(name)).equals(whole));
  assert.deepEqual((await verify(vault)).broken, []);
  assert.ok((await restore(vault, point, "os")).equals(content));
});

test("both kinds of packs lie in one vault: copied points, a directory that is read, packs that are written again", async () => {
  const quick = await newVault();
  const checking = memoryStore();
  await copyObjects(quick, checking, await planCopy(quick, checking));
  await using here = await openTestVault(quick);
  await using there = await openTestVault(checking);
  const first = await backUp(here, { item: "a" }, { os: bufferSource(content) });
  await copyPoint(here, there, first.name);
  const second = await backUp(
    there,
    { item: "a", parent: "latest" },
    { os: bufferSource(Buffer.concat([content, patterned(MiB, 2)])) },
  );
  assert.equal(await kindsIn(checking), "BP");
  for (const { name } of await gathered(checking.list("index/"))) await checking.delete(name);

  await using again = await openTestVault(checking);
  await deletePoint(again, first.name);
  for (let round = 0; round < 4; round += 1) await collect(again, { limits: now });
  assert.ok((await restore(again, second, "os")).subarray(0, content.length).equals(content));
  assert.deepEqual((await verify(again)).broken, []);
  assert.deepEqual(await scrub(checking), []);
  for (const name of await packsIn(checking)) assert.equal(contentName(await checking.get(name)), hashOfName(name));
});
