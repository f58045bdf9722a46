// One disk of a backup: reads what may have changed into slabs, has the workers hash, store or
// compare it, and puts the results into the leaves of the disk's map.
//
// Always true: a slab is held until nobody needs its bytes; the number of slabs bounds how far the
// reading runs ahead, so memory does not depend on the disk.

import { blobKinds, leafRegions, leafSize, leafUnits, regionSize, unitSize } from "../format/layout.ts";
import { encodeLeaf } from "../format/map.ts";
import type { DiskStatistics } from "../format/point.ts";
import { leafCount, type MapReader, type MapRoot } from "../map/map-reader.ts";
import { writeTree } from "../map/tree-writer.ts";
import type { StoreResult } from "../pipeline/messages.ts";
import { slabSize, type Slab } from "../pipeline/worker-pool.ts";
import type { DirtyRun, DiskSource } from "../sources/disk-source.ts";
import { editLeaf, type LeafEdit } from "./leaf-edit.ts";
import { patchWriter } from "./patch-writer.ts";
import { planJobs, readJobs } from "./region-jobs.ts";
import { planVisits, type RegionVisit } from "./region-plan.ts";
import { idOf, storeJobs, type RegionParts } from "./region-store.ts";

export interface DiskProgress {
  readonly disk: string;
  readonly size: number;
  /** How far into the disk the backup is. */
  readonly position: number;
  readonly bytesRead: number;
  readonly bytesNew: number;
  readonly bytesStored: number;
}

export interface ParentDisk extends MapRoot {
  readonly size: number;
}

export interface DiskWriterParts extends Pick<RegionParts, "pool" | "session" | "oldContent" | "isUsable"> {
  readonly maps: MapReader;
  readonly renewNodes: boolean;
  /** Makes sure that the index can take a few thousand blobs more. */
  ensureRoom(): Promise<void>;
  /** Stores a node of the map, unless there is a usable copy, and gives its id. */
  storeMapNode(node: Buffer): Promise<Buffer>;
}

export interface DiskWritten extends MapRoot {
  readonly statistics: DiskStatistics;
}

const noParent: ParentDisk = { root: undefined, level: 1, size: 0 };
const regionsPerSlab = slabSize / regionSize;

export async function writeDisk(
  parts: DiskWriterParts,
  name: string,
  source: DiskSource,
  parent: ParentDisk | undefined,
  onProgress: (progress: DiskProgress) => void,
  outerSignal?: AbortSignal,
): Promise<DiskWritten> {
  const { pool, session, maps } = parts;
  const stopped = new AbortController();
  const signal = outerSignal === undefined ? stopped.signal : AbortSignal.any([outerSignal, stopped.signal]);
  const base = parent ?? noParent;
  const statistics = { bytesRead: 0, bytesNew: 0, bytesStored: 0 };
  const changedLeaves = new Map<number, Buffer | undefined>();
  const reading = new Set<Promise<void>>();
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;

  const patches = patchWriter(async (content) => {
    await parts.ensureRoom();
    const block = { at: 0, length: content.byteLength };
    const result = await pool.run({ type: "store", session, kind: blobKinds.data, blocks: [block], content }, [
      content,
    ]);
    count(result);
    return idOf(result.results, 0);
  });
  const regions: RegionParts = { ...parts, patches, hasParent: parent !== undefined, count };

  try {
    const dirty = parent === undefined ? undefined : dirtyRuns(source, parent);
    for await (const visit of planVisits(source, dirty, signal)) {
      throwFailure();
      if ("from" in visit) await clearLeaves(visit.from, visit.to);
      else await writeLeaf(visit.leaf, visit.regions);
      const leaf = "from" in visit ? visit.to : visit.leaf + 1;
      onProgress({ disk: name, size: source.size, position: Math.min(source.size, leaf * leafSize), ...statistics });
    }
    await Promise.all(reading);
    patches.flush();
    await Promise.all(running);
    throwFailure();
  } catch (error) {
    stopped.abort(error);
    await Promise.all(reading);
    patches.flush();
    await Promise.all(running);
    throw failure?.error ?? error;
  }
  const map = await writeTree(parts, base, source.size, changedLeaves, signal);
  return { ...map, statistics };

  function throwFailure(): void {
    if (failure !== undefined) throw failure.error;
    signal.throwIfAborted();
  }

  /** Work that goes on by itself; its first failure stops the reading. */
  function begin(work: Promise<void>, among: Set<Promise<void>>): void {
    const task: Promise<void> = work
      .catch((error: unknown) => {
        failure ??= { error };
        stopped.abort(error);
      })
      .finally(() => among.delete(task));
    among.add(task);
  }

  async function clearLeaves(from: number, to: number): Promise<void> {
    for await (const { index } of maps.leaves(base, from, to, signal)) changedLeaves.set(index, undefined);
  }

  async function writeLeaf(leaf: number, visits: readonly RegionVisit[]): Promise<void> {
    const oldId = leaf < leafCount(base.size) ? await maps.leafId(base, leaf, signal) : undefined;
    const parentLeaf = await maps.leaf(oldId, signal);
    const units = Math.min(leafUnits, Math.ceil(source.size / unitSize) - leaf * leafUnits);
    const edit = editLeaf(leaf, parentLeaf, units);
    const batches: { done: Promise<void> }[] = [];
    let batch: RegionVisit[] = [];
    for (const visit of visits) {
      if (visit.data.length === 0) edit.set(visit.region % leafRegions, { extents: [], hash: undefined });
      else batch.push(visit);
      if (batch.length === regionsPerSlab) {
        batches.push(await startBatch(edit, batch));
        batch = [];
      }
    }
    if (batch.length > 0) batches.push(await startBatch(edit, batch));
    begin(finishLeaf(edit, batches, oldId), running);
  }

  /** Returns when a slab is taken; `done` when the batch is. */
  async function startBatch(edit: LeafEdit, visits: readonly RegionVisit[]): Promise<{ done: Promise<void> }> {
    const slab = await pool.slab(signal);
    throwFailureReleasing(slab);
    const done = runBatch(slab, edit, visits).finally(() => slab.release());
    begin(done, reading);
    return { done };
  }

  function throwFailureReleasing(slab: Slab): void {
    try {
      throwFailure();
    } catch (error) {
      slab.release();
      throw error;
    }
  }

  async function finishLeaf(
    edit: LeafEdit,
    batches: readonly { done: Promise<void> }[],
    oldId: Buffer | undefined,
  ): Promise<void> {
    const outcomes = await Promise.allSettled(batches.map(({ done }) => done));
    if (outcomes.some((outcome) => outcome.status === "rejected")) return;
    const leaf = await edit.finish();
    const id = leaf === undefined ? undefined : await parts.storeMapNode(encodeLeaf(leaf));
    const isSame = id === undefined ? oldId === undefined : oldId?.equals(id) === true;
    if (!isSame) changedLeaves.set(edit.index, id);
  }

  async function runBatch(slab: Slab, edit: LeafEdit, visits: readonly RegionVisit[]): Promise<void> {
    const jobs = planJobs(visits, edit, source.size);
    const bytesRead = await readJobs(slab.bytes, jobs, source, name, signal);
    statistics.bytesRead += bytesRead;
    await storeJobs(regions, slab, jobs, signal);
  }

  function count(result: StoreResult): void {
    statistics.bytesNew += result.bytesNew;
    statistics.bytesStored += result.bytesStored;
  }
}

/** The bitmap's runs, and what lies beyond the end that the parent had. */
function dirtyRuns(source: DiskSource, parent: ParentDisk): readonly DirtyRun[] | undefined {
  if (source.dirty === undefined || source.size === parent.size) return source.dirty;
  const from = Math.floor(Math.min(source.size, parent.size) / regionSize) * regionSize;
  const kept = source.dirty
    .filter((run) => run.offset < from)
    .map((run) => ({ offset: run.offset, length: Math.min(run.length, from - run.offset) }));
  return source.size > from ? [...kept, { offset: from, length: source.size - from }] : kept;
}
