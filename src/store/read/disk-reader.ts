// Random access to a disk of a point, for booting from it and for looking into it. Sequential
// readers are read ahead for; everything opened is kept in a bounded cache.

import { leafSize, unitSize } from "../format/layout.ts";
import type { Extent } from "../format/map.ts";
import { plainLength } from "../format/pack.ts";
import type { MapRoot } from "../map/map-reader.ts";
import { diskOf, type Point } from "../points/points.ts";
import type { SourceExtent } from "../sources/disk-source.ts";
import { storeErrors } from "../errors.ts";
import type { Vault } from "../vault.ts";
import { isDamage } from "../damage.ts";
import { type LocatedBlob } from "./blob-reader.ts";
import { blobCache } from "./blob-cache.ts";
import { extentOffset, placedLeaves } from "./disk-extents.ts";

export interface DiskReader {
  readonly size: number;
  /** Fills `into` from `offset`; the range must lie inside the disk. */
  read(into: Uint8Array, offset: number, signal?: AbortSignal): Promise<void>;
  /** What is data and what is a hole in [from, to), ascending, without gaps. */
  extents(from: number, to: number, signal?: AbortSignal): AsyncGenerator<SourceExtent>;
}

export interface DiskReaderOptions {
  /** Memory for opened blobs; 64 MiB when absent. */
  readonly cacheBytes?: number;
  /** How far to read ahead of a sequential reader; 8 MiB when absent. */
  readonly readAhead?: number;
}

interface Piece {
  readonly extent: Extent;
  /** On the disk. */
  readonly at: number;
}

const keptLeaves = 32;

export async function openDisk(
  vault: Vault,
  point: Point,
  diskName: string,
  options: DiskReaderOptions = {},
): Promise<DiskReader> {
  const disk = diskOf(point, diskName);
  const map: MapRoot = { root: disk.root === undefined ? undefined : Buffer.from(disk.root, "hex"), level: disk.level };
  const readAhead = options.readAhead ?? 8 * 1024 * 1024;
  const cache = blobCache(options.cacheBytes ?? 64 * 1024 * 1024);
  const leaves = new Map<number, Promise<readonly Extent[]>>();
  let sequentialEnd = -1;
  await vault.index.refresh();

  async function leafExtents(index: number, signal?: AbortSignal): Promise<readonly Extent[]> {
    const known = leaves.get(index);
    if (known !== undefined) return known;
    const loading = vault.maps
      .leafId(map, index, signal)
      .then(async (id) => (await vault.maps.leaf(id, signal)).extents);
    leaves.set(index, loading);
    loading.catch(() => leaves.delete(index));
    if (leaves.size > keptLeaves) leaves.delete(leaves.keys().next().value ?? -1);
    return loading;
  }

  async function pieces(from: number, to: number, signal?: AbortSignal): Promise<Piece[]> {
    const found: Piece[] = [];
    for (let leaf = Math.floor(from / leafSize); leaf * leafSize < to; leaf += 1) {
      const base = leaf * leafSize;
      const extents = await leafExtents(leaf, signal);
      for (let index = firstReaching(extents, (from - base) / unitSize); index < extents.length; index += 1) {
        const extent = extents[index];
        if (extent === undefined || base + extent.start * unitSize >= to) break;
        found.push({ extent, at: base + extent.start * unitSize });
      }
    }
    return found;
  }

  function content(id: Buffer, signal?: AbortSignal): Promise<Buffer> {
    return cache.get(id.toString("latin1"), async () =>
      openInPool(vault, await vault.blobs.locate(id, signal), signal),
    );
  }

  return {
    size: disk.size,
    read: async (into, offset, signal) => {
      const end = offset + into.byteLength;
      if (offset < 0 || end > disk.size) {
        throw storeErrors.DiskSizeInvalid(
          `Disk ${diskName} has ${disk.size} bytes; ${into.byteLength} bytes at ${offset} were asked for.`,
        );
      }
      if (offset === sequentialEnd && readAhead > 0) {
        const ahead = pieces(end, Math.min(disk.size, end + readAhead));
        // A failure ahead is seen when the reader gets there.
        ahead.then((found) => found.forEach(({ extent }) => void content(extent.id).catch(() => {}))).catch(() => {});
      }
      sequentialEnd = end;
      into.fill(0);
      await Promise.all(
        (await pieces(offset, end, signal)).map(async ({ extent, at }) => {
          const blob = await content(extent.id, signal);
          const from = Math.max(offset, at);
          const to = Math.min(end, at + extent.length * unitSize);
          const inBlob = extent.offset * unitSize + from - at;
          into.set(blob.subarray(inBlob, inBlob + to - from), from - offset);
        }),
      );
    },
    extents: async function* (from, to, signal) {
      let end = from;
      let run: { offset: number; length: number } | undefined;
      for await (const leaf of placedLeaves(vault.maps, map, from, to, signal)) {
        for (const extent of leaf.extents) {
          const first = Math.max(extentOffset(leaf, extent), end);
          const last = Math.min(extentOffset(leaf, extent) + extent.length * unitSize, to, disk.size);
          if (last <= first) continue;
          if (run !== undefined && run.offset + run.length === first) run.length += last - first;
          else {
            if (run !== undefined) yield { ...run, kind: "data" };
            if (first > end) yield { offset: end, length: first - end, kind: "zero" };
            run = { offset: first, length: last - first };
          }
          end = last;
        }
      }
      if (run !== undefined) yield { ...run, kind: "data" };
      if (end < to) yield { offset: end, length: to - end, kind: "zero" };
    },
  };
}

/** The first extent that ends behind `unit`. */
function firstReaching(extents: readonly Extent[], unit: number): number {
  let low = 0;
  let high = extents.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const extent = extents[middle];
    if (extent !== undefined && extent.start + extent.length <= unit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Fetches and opens one blob in a worker, from the first copy that gives it. */
async function openInPool(vault: Vault, blob: LocatedBlob, signal?: AbortSignal): Promise<Buffer> {
  const group = { pack: blob.pack, offset: blob.offset, length: blob.storedLength, blobs: [blob] };
  if (plainLength(blob.shape) <= 65_536) return vault.blobs.read(blob.id, signal);
  try {
    const range = await vault.blobs.fetch(group, 0, signal);
    const { contents } = await vault.pool().run({ type: "open", range, checkIds: false }, [range.stored]);
    if (contents[0] !== undefined)
      return Buffer.from(contents[0].buffer, contents[0].byteOffset, contents[0].byteLength);
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  return vault.blobs.read(blob.id, signal); // tries the other copies, and names what is wrong
}
