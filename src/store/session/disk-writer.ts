// One disk of a backup: reads what may have changed into slabs, has the workers hash, store or
// compare it, and puts the results into the leaves of the disk's map.
//
// Always true: a slab is held until nobody needs its bytes; the number of slabs bounds how far the
// reading runs ahead, so memory does not depend on the disk.

import { storeErrors } from "../errors.ts";
import { blobKinds, leafRegions, leafSize, leafUnits, regionSize, regionUnits, unitSize } from "../format/layout.ts";
import { encodeLeaf } from "../format/map.ts";
import type { DiskStatistics } from "../format/point.ts";
import { leafCount, type MapReader, type MapRoot } from "../map/map-reader.ts";
import { writeTree } from "../map/tree-writer.ts";
import { pageResults } from "../pipeline/compare-pages.ts";
import { blockResults, resultLength, type StoreResult } from "../pipeline/messages.ts";
import { slabSize, type Slab, type WorkerPool } from "../pipeline/worker-pool.ts";
import type { DirtyRun, DiskSource } from "../sources/disk-source.ts";
import { prepareComparison, type OldContent } from "./comparison.ts";
import { editLeaf, type LeafEdit } from "./leaf-edit.ts";
import { isTooFragmented, regionHash, type OldRegion } from "./old-region.ts";
import { closeSmallGaps, countRuns, patchRegion } from "./patch-region.ts";
import { patchWriter } from "./patch-writer.ts";
import { planVisits, regionLength, type RegionVisit } from "./region-plan.ts";

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

export interface DiskWriterParts {
  readonly pool: WorkerPool;
  readonly session: number;
  readonly maps: MapReader;
  readonly oldContent: OldContent;
  readonly renewNodes: boolean;
  /** Makes sure that the index can take a few thousand blobs more. */
  ensureRoom(): Promise<void>;
  /** Whether a new point may rely on the stored copy of a blob. */
  isUsable(id: Buffer): boolean;
  /** Stores a node of the map, unless there is a usable copy, and gives its id. */
  storeMapNode(node: Buffer): Promise<Buffer>;
}

export interface DiskWritten extends MapRoot {
  readonly statistics: DiskStatistics;
}

interface Job {
  readonly visit: RegionVisit;
  readonly edit: LeafEdit;
  readonly old: OldRegion | undefined;
  /** In bytes, filled up to whole units. */
  readonly length: number;
  /** Where in the slab. */
  readonly offset: number;
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
    const jobs = visits.map((visit, index): Job => {
      const old = edit.old(visit.region % leafRegions);
      const bytes = regionLength(source.size, visit.region);
      const length = Math.ceil(bytes / unitSize) * unitSize;
      return { visit: wholeIfFragmented(visit, old, bytes), edit, old, length, offset: index * regionSize };
    });
    await readJobs(slab, jobs);
    const whole = jobs.filter((job) => job.visit.dirtyUnits === undefined);
    const partial = jobs.filter((job) => job.visit.dirtyUnits !== undefined);
    await Promise.all([storeWhole(slab, whole), ...partial.map((job) => compare(slab, job, undefined))]);
  }

  async function readJobs(slab: Slab, jobs: readonly Job[]): Promise<void> {
    for (const job of jobs) clearUnread(slab.bytes, job, source.size);
    await Promise.all(
      readSpans(jobs).map(async ({ from, to, at }) => {
        try {
          await source.read(slab.bytes.subarray(at, at + to - from), from, signal);
        } catch (cause) {
          signal.throwIfAborted();
          if (cause instanceof Error && cause.name in storeErrors) throw cause;
          throw storeErrors.SourceFailed(`Reading ${to - from} bytes at ${from} of disk ${name} failed.`, { cause });
        }
        statistics.bytesRead += to - from;
      }),
    );
  }

  async function storeWhole(slab: Slab, jobs: readonly Job[]): Promise<void> {
    if (jobs.length === 0) return;
    const blocks = jobs.map((job) => ({ at: slab.at + job.offset, length: job.length }));
    const expected = parent === undefined ? undefined : expectations(jobs, parts.isUsable);
    const result = await pool.run({ type: "store", session, kind: blobKinds.data, blocks, expected });
    count(result);
    await Promise.all(
      jobs.map(async (job, index) => {
        const outcome = result.results[index * resultLength];
        const region = job.visit.region % leafRegions;
        if (outcome === blockResults.zero) job.edit.set(region, { extents: [], hash: undefined });
        else if (outcome === blockResults.changed) await compare(slab, job, idOf(result.results, index));
        else if (outcome !== blockResults.same) setWhole(job, idOf(result.results, index));
      }),
    );
  }

  /** `hash`: of the region as it is now, when all of it was read. */
  async function compare(slab: Slab, job: Job, hash: Buffer | undefined): Promise<void> {
    const region = job.visit.region % leafRegions;
    const mask = job.visit.dirtyUnits;
    const found = await changedPages(slab, job);
    const pages = found === undefined ? mask && allChanged(mask) : closeSmallGaps(found, mask);
    const changed = pages?.filter((page) => page !== pageResults.unchanged).length ?? regionUnits;
    const oldExtents = job.old?.extents ?? [];
    if (pages !== undefined && changed === 0) {
      if (hash !== undefined) job.edit.set(region, { extents: oldExtents.map(keep), hash });
      return;
    }
    const isWorthStoringWhole =
      pages === undefined || changed * 2 * unitSize > job.length || isTooFragmented(oldExtents, countRuns(pages));
    if (mask === undefined && isWorthStoringWhole) {
      const block = { at: slab.at + job.offset, length: job.length };
      const stored = await pool.run({ type: "store", session, kind: blobKinds.data, blocks: [block] });
      count(stored);
      setWhole(job, idOf(stored.results, 0));
      return;
    }
    const content = slab.bytes.subarray(job.offset, job.offset + job.length);
    const extents = patchRegion(oldExtents, pages ?? new Uint8Array(regionUnits), content, patches);
    job.edit.set(region, { extents, hash: extents.length === 0 ? undefined : hash });
  }

  /** Undefined where the old content is not worth fetching or cannot be read. */
  async function changedPages(slab: Slab, job: Job): Promise<Uint8Array | undefined> {
    const mask = job.visit.dirtyUnits;
    const comparison = await prepareComparison(parts.oldContent, job.old, mask, signal);
    if (comparison === undefined) return undefined;
    const task = { type: "diff", at: slab.at + job.offset, length: job.length, mask, ...comparison } as const;
    const { pages } = await pool.run(
      task,
      comparison.ranges.map((range) => range.stored),
    );
    // Reading the blobs one by one finds the bad pack, and fails when there is one.
    if (pages === undefined) for (const { id } of job.old?.extents ?? []) await parts.oldContent.read(id, signal);
    return pages;
  }

  function setWhole(job: Job, id: Buffer): void {
    const extent = { start: 0, length: job.length / unitSize, source: id, offset: 0 };
    job.edit.set(job.visit.region % leafRegions, { extents: [extent], hash: undefined });
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

function wholeIfFragmented(visit: RegionVisit, old: OldRegion | undefined, bytes: number): RegionVisit {
  if (visit.dirtyUnits === undefined || old === undefined || !isTooFragmented(old.extents, visit.data.length)) {
    return visit;
  }
  return { region: visit.region, data: [{ offset: 0, length: bytes }] };
}

/** Per block: a hash to compare with, and what to do when it differs. What lies in bad packs is stored again. */
function expectations(jobs: readonly Job[], isUsable: (id: Buffer) => boolean): Uint8Array {
  const expected = Buffer.alloc(jobs.length * resultLength);
  jobs.forEach(({ old, length }, index) => {
    if (old === undefined || !old.extents.every(({ id }) => isUsable(id))) return;
    expected[index * resultLength] = 2;
    const hash = regionHash(old, length / unitSize);
    if (hash !== undefined) expected.set(hash, index * resultLength + 1);
  });
  return expected;
}

/** What is hashed or compared and not read must be zero; where only dirty units count, that is the last one's end. */
function clearUnread(bytes: Buffer, { visit, offset, length }: Job, diskSize: number): void {
  const end = regionLength(diskSize, visit.region);
  bytes.fill(0, offset + end, offset + length);
  if (visit.dirtyUnits !== undefined) return;
  let from = 0;
  for (const span of visit.data) {
    bytes.fill(0, offset + from, offset + span.offset);
    from = span.offset + span.length;
  }
  bytes.fill(0, offset + from, offset + end);
}

interface ReadSpan {
  readonly from: number;
  to: number;
  readonly at: number;
}

/** Neighbouring spans of neighbouring regions are read at once. */
function readSpans(jobs: readonly Job[]): ReadSpan[] {
  const spans: ReadSpan[] = [];
  for (const { visit, offset } of jobs) {
    for (const span of visit.data) {
      const from = visit.region * regionSize + span.offset;
      const at = offset + span.offset;
      const last = spans.at(-1);
      if (last !== undefined && last.to === from && last.at + (last.to - last.from) === at) last.to += span.length;
      else spans.push({ from, to: from + span.length, at });
    }
  }
  return spans;
}

function idOf(results: Uint8Array, index: number): Buffer {
  return Buffer.from(results.subarray(index * resultLength + 1, (index + 1) * resultLength));
}

const keep = ({ start, length, id, offset }: OldRegion["extents"][number]) => ({ start, length, source: id, offset });

const allChanged = (mask: Uint8Array): Uint8Array =>
  mask.map((unit) => (unit === 1 ? pageResults.changed : pageResults.unchanged));
