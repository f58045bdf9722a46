// Which bytes of the regions of a slab are read, and the reading itself.

import { storeErrors } from "../errors.ts";
import { leafRegions, regionSize, unitSize } from "../format/layout.ts";
import type { DiskSource } from "../sources/disk-source.ts";
import type { LeafEdit } from "./leaf-edit.ts";
import { isTooFragmented, type OldRegion } from "./old-region.ts";
import { regionLength, type RegionVisit } from "./region-plan.ts";

/** A region on its way into the map. */
export interface RegionJob {
  readonly visit: RegionVisit;
  readonly edit: LeafEdit;
  readonly old: OldRegion | undefined;
  /** In bytes, filled up to whole units. */
  readonly length: number;
  /** Where in the slab. */
  readonly offset: number;
}

export function planJobs(visits: readonly RegionVisit[], edit: LeafEdit, diskSize: number): RegionJob[] {
  return visits.map((visit, index) => {
    const old = edit.old(visit.region % leafRegions);
    const bytes = regionLength(diskSize, visit.region);
    const length = Math.ceil(bytes / unitSize) * unitSize;
    return { visit: wholeIfFragmented(visit, old, bytes), edit, old, length, offset: index * regionSize };
  });
}

/** Fills the slab; gives how many bytes were read. */
export async function readJobs(
  slab: Buffer,
  jobs: readonly RegionJob[],
  source: DiskSource,
  disk: string,
  signal: AbortSignal,
): Promise<number> {
  for (const job of jobs) clearUnread(slab, job, source.size);
  const spans = readSpans(jobs);
  await Promise.all(
    spans.map(async ({ from, to, at }) => {
      try {
        await source.read(slab.subarray(at, at + to - from), from, signal);
      } catch (cause) {
        signal.throwIfAborted();
        if (cause instanceof Error && cause.name in storeErrors) throw cause;
        throw storeErrors.SourceFailed(`Reading ${to - from} bytes at ${from} of disk ${disk} failed.`, { cause });
      }
    }),
  );
  return spans.reduce((sum, { from, to }) => sum + to - from, 0);
}

function wholeIfFragmented(visit: RegionVisit, old: OldRegion | undefined, bytes: number): RegionVisit {
  if (visit.dirtyUnits === undefined || old === undefined || !isTooFragmented(old.extents, visit.data.length)) {
    return visit;
  }
  return { region: visit.region, data: [{ offset: 0, length: bytes }] };
}

/** What is hashed or compared and not read must be zero; where only dirty units count, that is the last one's end. */
function clearUnread(bytes: Buffer, { visit, offset, length }: RegionJob, diskSize: number): void {
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
function readSpans(jobs: readonly RegionJob[]): ReadSpan[] {
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
