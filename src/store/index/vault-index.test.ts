import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { memoryStore } from "../backends/memory.ts";
import type { ObjectInfo, ObjectStore } from "../backends/object-store.ts";
import { encodeIndex } from "../format/index-object.ts";
import { blobKinds, objectKinds } from "../format/layout.ts";
import { indexName, packName, prefixes } from "../format/object-names.ts";
import { makeShape, type PackEntry } from "../format/pack.ts";
import { headerLength, seal } from "../format/sealed.ts";
import { newTestVault, openTestVault } from "../testing/vaults.ts";
import { withFreshIndex, type Vault } from "../vault.ts";

const sha256 = (text: string | Uint8Array): Buffer => createHash("sha256").update(text).digest();
const blobsPerPack = 24;
const storedLength = 600_000;

interface Packs {
  readonly store: ObjectStore;
  /** Puts an index object over so many new packs and gives the ids of their blobs. */
  add(vault: Vault, packs: number, length?: number): Promise<Buffer[]>;
  /** A pack that no index object names. */
  addUnnamed(): void;
}

/** Packs are only listed; whoever reads one does not find it. */
function listedPacks(): Packs {
  const objects = memoryStore();
  const listed: ObjectInfo[] = [];
  const list = (name: string, size: number): void => void listed.push({ name: packName(name), size, modifiedAt: 0 });
  let made = 0;
  return {
    store: {
      ...objects,
      list: (prefix, signal) =>
        prefix === prefixes.packs
          ? (async function* () {
              yield* listed;
            })()
          : objects.list(prefix, signal),
    },
    addUnnamed: () => list(sha256(`unnamed ${(made += 1)}`).toString("hex"), 100_000),
    add: async (vault, packs, length = 1 << 20) => {
      const ids: Buffer[] = [];
      const indexed = Array.from({ length: packs }, () => {
        const hash = sha256(`pack ${(made += 1)}`).toString("hex");
        const entries = Array.from({ length: blobsPerPack }, (_, index): PackEntry => {
          const id = sha256(`${hash} ${index}`);
          ids.push(id);
          const shape = makeShape(blobKinds.data, length, true);
          return { id, offset: headerLength + index * storedLength, storedLength, shape };
        });
        const size = headerLength + blobsPerPack * (storedLength + 40);
        list(hash, size);
        return { hash, size, epoch: 1, salt: Buffer.alloc(32), entries };
      });
      const sealed = seal(vault.keys, objectKinds.index, "", encodeIndex([], indexed));
      await objects.put(indexName(sha256(sealed).toString("hex")), sealed);
      return ids;
    },
  };
}

test("a large index is read by other threads, whole, also where there was less room than it needs", async () => {
  const packs = listedPacks();
  await using writer = await newTestVault(packs.store);
  const ids = (await Promise.all([1900, 1700, 1500].map((count) => packs.add(writer, count)))).flat();
  // Room is reckoned as if index objects named these, too.
  for (let count = 0; count < 14_000; count += 1) packs.addUnnamed();
  await using vault = await openTestVault(packs.store);
  await vault.index.refresh();
  assert.equal(vault.index.table.count, ids.length);
  for (const [number, id] of ids.entries()) {
    const found = vault.index.find(id);
    assert.equal(found?.offset, headerLength + (number % blobsPerPack) * storedLength);
  }
  const fresh = withFreshIndex(vault).index;
  await fresh.refresh();
  assert.notEqual(fresh.table, vault.index.table);
  for (const id of ids) assert.ok(fresh.find(id) !== undefined);
});

test("an index object with impossible entries is passed over and named, the others are read", async () => {
  const packs = listedPacks();
  await using writer = await newTestVault(packs.store);
  const good = await packs.add(writer, 5000);
  const bad = await packs.add(writer, 10, (1 << 20) + 1);
  await using vault = await openTestVault(packs.store);
  await vault.index.refresh();
  assert.match(vault.index.problems[0]?.message ?? "", /describes a blob of an impossible size/);
  assert.equal(vault.index.table.count, good.length);
  assert.equal(vault.index.find(bad[0] ?? Buffer.alloc(32)), undefined);
});

test("readings that are asked for at once follow one another", async () => {
  const packs = listedPacks();
  await using writer = await newTestVault(packs.store);
  const ids = await packs.add(writer, 5);
  let running = 0;
  const store: ObjectStore = {
    ...packs.store,
    list: async function* (prefix, signal) {
      running += 1;
      assert.equal(running, 1);
      yield* packs.store.list(prefix, signal);
      running -= 1;
    },
  };
  await using vault = await openTestVault(store);
  await Promise.all([1, 2, 3].map(() => vault.index.refresh()));
  assert.equal(vault.index.table.count, ids.length);
});
