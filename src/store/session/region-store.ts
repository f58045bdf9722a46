// What becomes of the regions that were read: stored whole, found to be as they were, or compared with
// what they were so that only pages that changed are stored.

import { blobKinds, leafRegions, regionUnits, unitSize } from "../format/layout.ts";
import { pageResults } from "../pipeline/compare-pages.ts";
import { blockResults, resultLength, type StoreResult } from "../pipeline/messages.ts";
import type { Slab, WorkerPool } from "../pipeline/worker-pool.ts";
import { prepareComparison, type OldContent } from "./comparison.ts";
import { isTooFragmented, regionHash, type OldRegion } from "./old-region.ts";
import { closeSmallGaps, countRuns, patchRegion } from "./patch-region.ts";
import type { PatchWriter } from "./patch-writer.ts";
import type { RegionJob } from "./region-jobs.ts";

export interface RegionParts {
  readonly pool: WorkerPool;
  readonly session: number;
  readonly oldContent: OldContent;
  readonly patches: PatchWriter;
  /** Without a parent there is nothing to compare with. */
  readonly hasParent: boolean;
  /** Whether a new point may rely on the stored copy of a blob. */
  isUsable(id: Buffer): boolean;
  count(result: StoreResult): void;
}

export async function storeJobs(
  parts: RegionParts,
  slab: Slab,
  jobs: readonly RegionJob[],
  signal: AbortSignal,
): Promise<void> {
  const whole = jobs.filter((job) => job.visit.dirtyUnits === undefined);
  const partial = jobs.filter((job) => job.visit.dirtyUnits !== undefined);
  const compared = partial.map((job) => compare(parts, slab, job, undefined, signal));
  await Promise.all([storeWhole(parts, slab, whole, signal), ...compared]);
}

export function idOf(results: Uint8Array, index: number): Buffer {
  return Buffer.from(results.subarray(index * resultLength + 1, (index + 1) * resultLength));
}

async function storeWhole(
  parts: RegionParts,
  slab: Slab,
  jobs: readonly RegionJob[],
  signal: AbortSignal,
): Promise<void> {
  if (jobs.length === 0) return;
  const blocks = jobs.map((job) => ({ at: slab.at + job.offset, length: job.length }));
  const expected = parts.hasParent ? expectations(jobs, parts.isUsable) : undefined;
  const result = await parts.pool.run({
    type: "store",
    session: parts.session,
    kind: blobKinds.data,
    blocks,
    expected,
  });
  parts.count(result);
  await Promise.all(
    jobs.map(async (job, index) => {
      const outcome = result.results[index * resultLength];
      const region = job.visit.region % leafRegions;
      if (outcome === blockResults.zero) job.edit.set(region, { extents: [], hash: undefined });
      else if (outcome === blockResults.changed) await compare(parts, slab, job, idOf(result.results, index), signal);
      else if (outcome !== blockResults.same) setWhole(job, idOf(result.results, index));
    }),
  );
}

/** `hash`: of the region as it is now, when all of it was read. */
async function compare(
  parts: RegionParts,
  slab: Slab,
  job: RegionJob,
  hash: Buffer | undefined,
  signal: AbortSignal,
): Promise<void> {
  const region = job.visit.region % leafRegions;
  const mask = job.visit.dirtyUnits;
  const found = await changedPages(parts, slab, job, signal);
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
    const stored = await parts.pool.run({
      type: "store",
      session: parts.session,
      kind: blobKinds.data,
      blocks: [block],
    });
    parts.count(stored);
    setWhole(job, idOf(stored.results, 0));
    return;
  }
  const content = slab.bytes.subarray(job.offset, job.offset + job.length);
  const extents = patchRegion(oldExtents, pages ?? new Uint8Array(regionUnits), content, parts.patches);
  job.edit.set(region, { extents, hash: extents.length === 0 ? undefined : hash });
}

/** Undefined where the old content is not worth fetching or cannot be read. */
async function changedPages(
  parts: RegionParts,
  slab: Slab,
  job: RegionJob,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const mask = job.visit.dirtyUnits;
  const comparison = await prepareComparison(parts.oldContent, job.old, mask, signal);
  if (comparison === undefined) return undefined;
  const task = { type: "diff", at: slab.at + job.offset, length: job.length, mask, ...comparison } as const;
  const { pages } = await parts.pool.run(
    task,
    comparison.ranges.map((range) => range.stored),
  );
  // Reading the blobs one by one finds the bad pack, and fails when there is one.
  if (pages === undefined) for (const { id } of job.old?.extents ?? []) await parts.oldContent.read(id, signal);
  return pages;
}

function setWhole(job: RegionJob, id: Buffer): void {
  const extent = { start: 0, length: job.length / unitSize, source: id, offset: 0 };
  job.edit.set(job.visit.region % leafRegions, { extents: [extent], hash: undefined });
}

/** Per block: a hash to compare with, and what to do when it differs. What lies in bad packs is stored again. */
function expectations(jobs: readonly RegionJob[], isUsable: (id: Buffer) => boolean): Uint8Array {
  const expected = Buffer.alloc(jobs.length * resultLength);
  jobs.forEach(({ old, length }, index) => {
    if (old === undefined || !old.extents.every(({ id }) => isUsable(id))) return;
    expected[index * resultLength] = 2;
    const hash = regionHash(old, length / unitSize);
    if (hash !== undefined) expected.set(hash, index * resultLength + 1);
  });
  return expected;
}

const keep = ({ start, length, id, offset }: OldRegion["extents"][number]) => ({ start, length, source: id, offset });

const allChanged = (mask: Uint8Array): Uint8Array =>
  mask.map((unit) => (unit === 1 ? pageResults.changed : pageResults.unchanged));
