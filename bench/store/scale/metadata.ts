// What a point costs beside its data when one page in a hundred of a disk changed, scattered. The cost
// is the same for each leaf of 128 MiB, so a part of a terabyte says what the whole would cost.

import { memoryStore } from "../../../src/store/backends/memory.ts";
import type { ObjectStore } from "../../../src/store/backends/object-store.ts";
import {
  beginSession,
  createVault,
  keyFromBytes,
  openVault,
  type DiskSource,
  type Vault,
} from "../../../src/store/index.ts";
import { regionSize } from "../../../src/store/format/layout.ts";
import { seededRandom } from "../../../src/lib/random.ts";

const page = 4096;
const bitmapRun = 64 * 1024;

export async function measureMetadata(gibibytes: number): Promise<string[][]> {
  const { data, metadata } = await metadataOfChange(gibibytes * 2 ** 30, 0.01);
  return [
    [
      `metadata of 1 % changed pages on ${gibibytes} GiB`,
      `${metadata} bytes for ${data} bytes of changes: ${((100 * metadata) / data).toFixed(2)} %`,
      "< 1 %",
    ],
  ];
}

/** All that the vault grew by, without what the changed pages themselves took. */
export async function metadataOfChange(size: number, share: number): Promise<{ data: number; metadata: number }> {
  const key = keyFromBytes(Buffer.alloc(32, 1));
  const store = memoryStore();
  await createVault(store, key);
  await using vault = await openVault(store, key);
  const pages = new Set<number>();
  const random = seededRandom(7);
  while (pages.size < (size / page) * share) pages.add(Math.floor((random() * size) / page));
  await backUp(vault, oldDisk(size));
  const before = await bytesIn(store);
  const stored = await backUp(vault, changedDisk(size, pages));
  return { data: pages.size * page, metadata: (await bytesIn(store)) - before - stored };
}

async function backUp(vault: Vault, source: DiskSource): Promise<number> {
  await using session = await beginSession(vault, { item: "a", parent: "latest" });
  const { statistics } = await session.addDisk("os", source);
  await session.commit();
  return statistics.bytesStored;
}

/** Every MiB is another one and compresses to nothing: the map is as large as that of any full disk. */
const oldDisk = (size: number): DiskSource => ({ size, read: async (into, offset) => fillOld(into, offset) });

function fillOld(into: Uint8Array, offset: number): void {
  into.fill(0x5a);
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  const next = Math.ceil(offset / regionSize);
  for (let region = next; region * regionSize < offset + into.length; region += 1) {
    view.setUint32(region * regionSize - offset, region);
  }
}

function changedDisk(size: number, pages: ReadonlySet<number>): DiskSource {
  const runs = new Set([...pages].map((number) => Math.floor((number * page) / bitmapRun)));
  const dirty = [...runs]
    .sort((one, other) => one - other)
    .map((run) => ({ offset: run * bitmapRun, length: bitmapRun }));
  return {
    size,
    dirty,
    read: async (into, offset) => {
      fillOld(into, offset);
      for (let at = 0; at < into.length; at += page) {
        const number = (offset + at) / page;
        if (pages.has(number)) fillRandom(into.subarray(at, at + page), number);
      }
    },
  };
}

function fillRandom(bytes: Uint8Array, seed: number): void {
  const random = seededRandom(seed);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = Math.floor(random() * 256);
}

async function bytesIn(store: ObjectStore): Promise<number> {
  let sum = 0;
  for await (const { size } of store.list("")) sum += size;
  return sum;
}
