// Restoring: the content of a disk as fast as the packs can be read. Blobs come in the order in
// which they lie in packs, each opened once, so the order of what the sink sees is not the disk's.

import { storeErrors } from "../errors.ts";
import { unitSize } from "../format/layout.ts";
import { plainLength } from "../format/pack.ts";
import type { MapRoot } from "../map/map-reader.ts";
import { eachInParallel } from "../../lib/parallel.ts";
import type { OpenResult, StoredRange } from "../pipeline/messages.ts";
import { diskOf, type Point } from "../points/points.ts";
import type { Vault } from "../vault.ts";
import { isDamage } from "../damage.ts";
import { groupByPack, type FetchGroup, type LocatedBlob } from "./blob-reader.ts";
import { extentOffset, placedLeaves } from "./disk-extents.ts";

export interface DiskSink {
  /** `bytes` are valid until the promise ends. */
  write(bytes: Uint8Array, offset: number, signal?: AbortSignal): Promise<void>;
  /** A range that is zero; a target that is zero already has nothing to do. */
  zero?(offset: number, length: number, signal?: AbortSignal): Promise<void>;
}

export interface RestoreProgress {
  readonly size: number;
  readonly bytesWritten: number;
  readonly bytesZero: number;
}

export interface ReadDiskOptions {
  readonly onProgress?: (progress: RestoreProgress) => void;
  /** Called for ranges that cannot be read; without it the first one is a failure. */
  readonly onDamage?: (range: { readonly offset: number; readonly length: number; readonly message: string }) => void;
  /** Check every blob's content against its id, not only its seal. */
  readonly checkIds?: boolean;
  readonly signal?: AbortSignal;
}

interface Place {
  /** On the disk. */
  readonly at: number;
  readonly length: number;
  /** In the blob. */
  readonly offset: number;
}

/** What is wanted of a blob. */
interface Wanted {
  readonly id: Buffer;
  readonly blob: LocatedBlob | undefined;
  readonly places: Place[];
}

/** So many extents are looked at together, wherever they lie on the disk: some 40 MB of memory, and each pack is opened once for all of them. */
const extentsAtOnce = 1 << 18;

export async function readDisk(
  vault: Vault,
  point: Point,
  diskName: string,
  sink: DiskSink,
  options: ReadDiskOptions = {},
): Promise<RestoreProgress> {
  const { signal } = options;
  const disk = diskOf(point, diskName);
  const map: MapRoot = { root: disk.root === undefined ? undefined : Buffer.from(disk.root, "hex"), level: disk.level };
  const progress = { size: disk.size, bytesWritten: 0, bytesZero: 0 };
  const pool = vault.pool(); // its threads start while the index is read
  if (vault.index.isEmpty) await vault.index.refresh(signal);
  let wanted = new Map<string, Wanted>();
  let extents = 0;
  let end = 0;
  for await (const leaf of placedLeaves(vault.maps, map, 0, disk.size, signal)) {
    for (const extent of leaf.extents) {
      const at = extentOffset(leaf, extent);
      const length = Math.min(extent.length * unitSize, disk.size - at);
      if (length <= 0) continue;
      await zeroRun(end, at);
      end = at + length;
      const key = extent.id.toString("latin1");
      let entry = wanted.get(key);
      if (entry === undefined) {
        entry = { blob: vault.blobs.locateNow(extent.id), id: extent.id, places: [] };
        wanted.set(key, entry);
      }
      entry.places.push({ at, length, offset: extent.offset * unitSize });
      extents += 1;
    }
    if (extents < extentsAtOnce) continue;
    await readWanted(wanted);
    wanted = new Map();
    extents = 0;
  }
  await zeroRun(end, disk.size);
  await readWanted(wanted);
  return progress;

  async function readWanted(entries: ReadonlyMap<string, Wanted>): Promise<void> {
    const located: LocatedBlob[] = [];
    for (const { blob, id, places } of entries.values()) {
      try {
        located.push(blob ?? (await vault.blobs.locate(id, signal)));
      } catch (error) {
        damaged(places, error);
      }
    }
    const groups = groupByPack(located, ({ shape }) => plainLength(shape));
    const placesOf = ({ id }: LocatedBlob): readonly Place[] => entries.get(id.toString("latin1"))?.places ?? [];
    await eachInParallel(groups, pool.size * 3, (group) => readGroup(group, placesOf, 0));
  }

  async function zeroRun(from: number, to: number): Promise<void> {
    if (to <= from) return;
    await sink.zero?.(from, to - from, signal);
    progress.bytesZero += to - from;
    options.onProgress?.(progress);
  }

  /** `copy`: which store; what it cannot give is asked of the next, then looked up again. */
  async function readGroup(
    group: FetchGroup,
    placesOf: (blob: LocatedBlob) => readonly Place[],
    copy: number,
  ): Promise<void> {
    let range: StoredRange;
    try {
      range = await vault.blobs.fetch(group, copy, signal);
    } catch (error) {
      if (!isDamage(error)) throw error;
      return retryElsewhere(group.blobs, error, placesOf, copy);
    }
    const bad = await openGroup(group, range, placesOf);
    if (bad.size === 0) return;
    const error = storeErrors.ObjectDamaged([...bad.values()][0] ?? "");
    vault.blobs.reportBadPack(group.pack, error);
    await retryElsewhere(
      group.blobs.filter((_, index) => bad.has(index)),
      error,
      placesOf,
      copy,
    );
  }

  /** Gives the blobs that did not open, by their position in the group. */
  async function openGroup(
    group: FetchGroup,
    range: StoredRange,
    placesOf: (blob: LocatedBlob) => readonly Place[],
  ): Promise<Map<number, string>> {
    const slab = await pool.slab(signal);
    try {
      let fill = 0;
      const blobs = range.blobs.map((blob) => {
        const target = slab.at + fill;
        fill += plainLength(blob.shape);
        return { ...blob, target };
      });
      const task = { type: "open", range: { ...range, blobs }, checkIds: options.checkIds === true } as const;
      const result: OpenResult = await pool.run(task, [range.stored]);
      const bad = new Map(result.failures.map(({ blob, message }) => [blob, message]));
      await writeOpened(slab.bytes, slab.at, blobs, group.blobs, bad, placesOf);
      return bad;
    } finally {
      slab.release();
    }
  }

  async function writeOpened(
    bytes: Buffer,
    slabAt: number,
    opened: readonly { target: number; shape: number }[],
    blobs: readonly LocatedBlob[],
    bad: ReadonlyMap<number, string>,
    placesOf: (blob: LocatedBlob) => readonly Place[],
  ): Promise<void> {
    const writes: { at: number; from: number; length: number }[] = [];
    blobs.forEach((blob, index) => {
      if (bad.has(index)) return;
      const base = (opened[index]?.target ?? slabAt) - slabAt;
      for (const { at, length, offset } of placesOf(blob)) writes.push({ at, from: base + offset, length });
    });
    writes.sort((a, b) => a.at - b.at);
    const joined: typeof writes = [];
    for (const write of writes) {
      const last = joined.at(-1);
      if (last !== undefined && last.at + last.length === write.at && last.from + last.length === write.from) {
        last.length += write.length;
      } else joined.push(write);
    }
    for (const { at, from, length } of joined) {
      await sink.write(bytes.subarray(from, from + length), at, signal);
      progress.bytesWritten += length;
    }
    options.onProgress?.(progress);
  }

  async function retryElsewhere(
    blobs: readonly LocatedBlob[],
    error: unknown,
    placesOf: (blob: LocatedBlob) => readonly Place[],
    copy: number,
  ): Promise<void> {
    const next = copy + 1;
    if (next < vault.blobs.copies) {
      for (const group of groupByPack(blobs, ({ shape }) => plainLength(shape))) await readGroup(group, placesOf, next);
      return;
    }
    await vault.blobs.refresh(signal);
    for (const blob of blobs) {
      const moved = vault.blobs.locateNow(blob.id);
      if (moved === undefined || moved.pack === blob.pack) damaged(placesOf(blob), error);
      else {
        const group = { pack: moved.pack, offset: moved.offset, length: moved.storedLength, blobs: [moved] };
        await readGroup(group, placesOf, 0);
      }
    }
  }

  function damaged(places: readonly Place[], error: unknown): void {
    if (!isDamage(error) || options.onDamage === undefined) throw error;
    const message = error instanceof Error ? error.message : String(error);
    for (const { at, length } of places) options.onDamage({ offset: at, length, message });
  }
}
