// Which regions of a disk a backup looks at, and how: from the source's extents, or from its dirty
// runs when there is a parent to compare with.

import { leafRegions, leafSize, regionSize, regionUnits, unitSize } from "../format/layout.ts";
import type { DirtyRun, DiskSource, SourceExtent } from "../sources/disk-source.ts";
import { storeErrors } from "../errors.ts";

/** Byte ranges relative to the region. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

export interface RegionVisit {
  /** Counted from the beginning of the disk. */
  readonly region: number;
  /** What may hold data; the rest is zero. Empty: the region is a hole. */
  readonly data: readonly Span[];
  /** Units to look at, when not the whole region. */
  readonly dirtyUnits?: Uint8Array;
}

export interface LeafVisit {
  readonly leaf: number;
  readonly regions: readonly RegionVisit[];
}

/** Leaves in [from, to) that are wholly zero. */
export interface HoleVisit {
  readonly from: number;
  readonly to: number;
}

export const regionLength = (size: number, region: number): number => Math.min(regionSize, size - region * regionSize);

/** Every leaf with something to look at, ascending; long holes come as one visit. */
export async function* planVisits(
  source: DiskSource,
  dirty: readonly DirtyRun[] | undefined,
  signal?: AbortSignal,
): AsyncGenerator<LeafVisit | HoleVisit> {
  const visits = dirty === undefined ? everyRegion(source, signal) : dirtyRegions(source, dirty);
  let current: { leaf: number; regions: RegionVisit[] } | undefined;
  for await (const visit of visits) {
    const leaf = "from" in visit ? undefined : Math.floor(visit.region / leafRegions);
    if (current !== undefined && current.leaf !== leaf) {
      yield current;
      current = undefined;
    }
    if ("from" in visit) yield visit;
    else {
      current ??= { leaf: Math.floor(visit.region / leafRegions), regions: [] };
      current.regions.push(visit);
    }
  }
  if (current !== undefined) yield current;
}

async function* everyRegion(source: DiskSource, signal?: AbortSignal): AsyncGenerator<RegionVisit | HoleVisit> {
  if (source.extents === undefined) {
    const count = Math.ceil(source.size / regionSize);
    for (let region = 0; region < count; region += 1) {
      yield { region, data: [{ offset: 0, length: regionLength(source.size, region) }] };
    }
    return;
  }
  let current: { region: number; data: Span[] } | undefined;
  let expected = 0;
  for await (const extent of source.extents(0, source.size, signal)) {
    checkExtent(extent, expected, source.size);
    const end = extent.offset + extent.length;
    expected = end;
    for (let at = extent.offset; at < end;) {
      const region = Math.floor(at / regionSize);
      if (current !== undefined && current.region !== region) {
        yield current;
        current = undefined;
      }
      const leaves = extent.kind === "zero" && at % leafSize === 0 ? Math.floor((end - at) / leafSize) : 0;
      if (leaves > 0) {
        yield { from: at / leafSize, to: at / leafSize + leaves };
        at += leaves * leafSize;
        continue;
      }
      current ??= { region, data: [] };
      const to = Math.min(end, (region + 1) * regionSize);
      if (extent.kind === "data") current.data.push({ offset: at - region * regionSize, length: to - at });
      at = to;
    }
  }
  if (expected !== source.size) {
    throw storeErrors.SourceFailed(`The disk's extents end at ${expected}; the disk has ${source.size} bytes.`);
  }
  if (current !== undefined) yield current;
}

function checkExtent(extent: SourceExtent, expected: number, size: number): void {
  if (extent.offset === expected && extent.length > 0 && extent.offset + extent.length <= size) return;
  throw storeErrors.SourceFailed(
    `The disk's extents have a gap or an overlap: ${extent.length} bytes at ${extent.offset}, expected at ${expected}.`,
  );
}

async function* dirtyRegions(source: DiskSource, dirty: readonly DirtyRun[]): AsyncGenerator<RegionVisit> {
  let current: { region: number; units: Uint8Array } | undefined;
  for (const run of dirty) {
    const end = Math.min(source.size, run.offset + run.length);
    for (let at = run.offset; at < end;) {
      const region = Math.floor(at / regionSize);
      if (current !== undefined && region < current.region) {
        throw storeErrors.SourceFailed(`The disk's dirty runs are not in order: ${run.offset} comes too late.`);
      }
      if (current !== undefined && current.region !== region) {
        yield dirtyVisit(source.size, current.region, current.units);
        current = undefined;
      }
      current ??= { region, units: new Uint8Array(regionUnits) };
      const to = Math.min(end, (region + 1) * regionSize);
      const base = region * regionSize;
      current.units.fill(1, Math.floor((at - base) / unitSize), Math.ceil((to - base) / unitSize));
      at = to;
    }
  }
  if (current !== undefined) yield dirtyVisit(source.size, current.region, current.units);
}

/** More than half of the region: then all of it is read, which also gives its hash. */
function dirtyVisit(size: number, region: number, units: Uint8Array): RegionVisit {
  const length = regionLength(size, region);
  const count = units.reduce((sum, unit) => sum + unit, 0);
  if (count * 2 * unitSize > length) return { region, data: [{ offset: 0, length }] };
  const data: { offset: number; length: number }[] = [];
  units.forEach((unit, index) => {
    if (unit === 0) return;
    const offset = index * unitSize;
    const last = data.at(-1);
    const span = Math.min(unitSize, length - offset);
    if (last !== undefined && last.offset + last.length === offset) last.length += span;
    else data.push({ offset, length: span });
  });
  return { region, data, dirtyUnits: units };
}
