// An index of so many blobs is opened as every command opens it: listed, unsealed, read into memory.
// The packs are only listed, never read, so here they are names and sizes.

import { createCipheriv, createHash } from "node:crypto";
import { memoryStore } from "../../../src/store/backends/memory.ts";
import type { ObjectStore } from "../../../src/store/backends/object-store.ts";
import { encodeIndex, type IndexedPackEntries } from "../../../src/store/format/index-object.ts";
import { blobKinds, idLength, objectKinds } from "../../../src/store/format/layout.ts";
import { indexName, packName, prefixes } from "../../../src/store/format/object-names.ts";
import { makeShape } from "../../../src/store/format/pack.ts";
import { headerLength, seal } from "../../../src/store/format/sealed.ts";
import { createVault, keyFromBytes, openVault, type Vault } from "../../../src/store/index.ts";
import { costOf, costText } from "./clock.ts";

const blobsPerPack = 24;
const blobsPerIndex = 100_000;
const storedLength = 600_000;

export async function measureIndex(blobs: number): Promise<string[][]> {
  const key = keyFromBytes(Buffer.alloc(32, 1));
  const objects = memoryStore();
  await createVault(objects, key);
  const packs: { name: string; size: number; modifiedAt: number }[] = [];
  {
    await using vault = await openVault(objects, key);
    for (let first = 0; first < blobs; first += blobsPerIndex) {
      await putIndex(vault, first, Math.min(blobs, first + blobsPerIndex), packs);
    }
  }
  packs.sort((one, other) => (one.name < other.name ? -1 : 1));
  await using vault = await openVault(withPacks(objects, packs), key);
  const cost = await costOf(() => vault.index.refresh());
  const { table } = vault.index;
  if (table.count !== blobs) throw new Error(`${table.count} blobs were read, not ${blobs}`);
  const bytes = table.shared.slots.byteLength / blobs;
  return [
    [`an index of ${blobs} blobs opens in`, costText(cost), "< 5 s for 10 million"],
    ["memory for each blob", `${bytes.toFixed(1)} bytes`, "about 60"],
  ];
}

async function putIndex(
  vault: Vault,
  from: number,
  to: number,
  packs: { name: string; size: number; modifiedAt: number }[],
): Promise<void> {
  const indexed: IndexedPackEntries[] = [];
  const ids = arbitraryBytes(from, (to - from) * idLength);
  for (let first = from; first < to; first += blobsPerPack) {
    const entries = Array.from({ length: Math.min(blobsPerPack, to - first) }, (_, index) => ({
      id: ids.subarray((first - from + index) * idLength, (first - from + index + 1) * idLength),
      offset: headerLength + index * storedLength,
      storedLength,
      shape: makeShape(blobKinds.data, 1 << 20, true),
    }));
    const hash = createHash("sha256").update(`pack ${first}`).digest("hex");
    const size = headerLength + entries.length * (storedLength + 40) + 20;
    indexed.push({ hash, size, epoch: 1, salt: Buffer.alloc(32, first & 255), entries });
    packs.push({ name: packName(hash), size, modifiedAt: 0 });
  }
  const sealed = seal(vault.keys, objectKinds.index, "", encodeIndex([], indexed));
  await vault.store.put(indexName(createHash("sha256").update(sealed).digest("hex")), sealed);
}

/** As evenly spread as the names of blobs are, and much faster to make. */
function arbitraryBytes(seed: number, length: number): Buffer {
  const key = Buffer.alloc(16);
  key.writeDoubleLE(seed);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

function withPacks(objects: ObjectStore, packs: { name: string; size: number; modifiedAt: number }[]): ObjectStore {
  return {
    ...objects,
    list: (prefix, signal) =>
      prefix === prefixes.packs
        ? (async function* () {
            for (const pack of packs) yield pack; // a yield* would cost more than what is measured
          })()
        : objects.list(prefix, signal),
  };
}
