// Which blobs a number of points need, as one byte for each slot of the blob table: points share nearly
// everything and there are many of them, so what each of them needs is not written down. Map nodes that
// points share are walked once.

import { isDamage } from "../damage.ts";
import { packStates, type BlobTable } from "../index/blob-table.ts";
import type { Point } from "../points/points.ts";
import type { LocatedBlob } from "../read/blob-reader.ts";
import type { Vault } from "../vault.ts";

export interface NeededBlobs {
  add(point: Point): Promise<void>;
  readonly count: number;
  /** By pack, in lists of bounded length. */
  located(): Generator<LocatedBlob[]>;
}

/** `vault`: with an index of its own, just read. `tell`: of blobs that are in no pack, and of map nodes that cannot be read. */
export function neededBlobs(
  vault: Vault,
  tell: (id: Buffer, problem: string) => void,
  signal?: AbortSignal,
): NeededBlobs {
  const { table } = vault.index;
  const marked = new Uint8Array(table.capacity);
  const lost = new Set<string>();
  let found = 0;
  return {
    add: async ({ attachments, disks }) => {
      for (const { blobs } of attachments) for (const blob of blobs) mark(Buffer.from(blob, "hex"));
      for (const { root, level } of disks) if (root !== undefined) await addNode(Buffer.from(root, "hex"), level);
    },
    get count() {
      return found + lost.size;
    },
    located: () => locatedByPack(table, marked, found),
  };

  async function addNode(id: Buffer, level: number): Promise<void> {
    if (!mark(id)) return;
    try {
      if (level === 0) {
        for (const extent of (await vault.maps.leaf(id, signal)).extents) mark(extent.id);
        return;
      }
      const { children } = await vault.maps.node(id, level, signal);
      for (const child of children.values()) await addNode(child, level - 1);
    } catch (error) {
      if (!isDamage(error)) throw error;
      tell(id, error instanceof Error ? error.message : String(error));
    }
  }

  /** Whether it was not marked before. */
  function mark(id: Buffer): boolean {
    const slot = table.find(id);
    if (slot < 0 || table.packState(table.location(slot).pack) === packStates.absent) {
      const key = id.toString("latin1");
      if (lost.has(key)) return false;
      lost.add(key);
      tell(id, `Blob ${id.toString("hex")} is in no pack that is there.`);
      return true;
    }
    if (marked[slot] === 1) return false;
    marked[slot] = 1;
    found += 1;
    return true;
  }
}

const blobsAtOnce = 65_536;

function* locatedByPack(table: BlobTable, marked: Uint8Array, count: number): Generator<LocatedBlob[]> {
  const slots = sortedByPack(table, marked, count);
  for (let at = 0; at < slots.length; at += blobsAtOnce) {
    const blobs: LocatedBlob[] = [];
    for (const slot of slots.subarray(at, at + blobsAtOnce)) {
      const id = table.idAt(slot);
      if (id !== undefined) blobs.push({ id, ...table.location(slot) });
    }
    yield blobs;
  }
}

/** Counted first, then placed: as fast for many millions as for a few. */
function sortedByPack(table: BlobTable, marked: Uint8Array, count: number): Uint32Array {
  const packs = new Uint32Array(count);
  const slots = new Uint32Array(count);
  let filled = 0;
  let highest = 0;
  marked.forEach((mark, slot) => {
    if (mark === 0) return;
    const { pack } = table.location(slot);
    packs[filled] = pack;
    slots[filled] = slot;
    filled += 1;
    highest = Math.max(highest, pack);
  });
  const next = new Uint32Array(highest + 2);
  for (const pack of packs) next[pack + 1] = (next[pack + 1] ?? 0) + 1;
  for (let pack = 1; pack < next.length; pack += 1) next[pack] = (next[pack] ?? 0) + (next[pack - 1] ?? 0);
  const sorted = new Uint32Array(count);
  packs.forEach((pack, index) => {
    const place = next[pack] ?? 0;
    sorted[place] = slots[index] ?? 0;
    next[pack] = place + 1;
  });
  return sorted;
}
