// Which pages of a region changed: the old content is put together from its blobs and compared.

import { maxBlobSize, regionSize, regionUnits, unitSize } from "../format/layout.ts";
import { plainLength } from "../format/pack.ts";
import type { DiffTask } from "./messages.ts";
import type { RangeOpener } from "./open-range.ts";

export const pageResults = { unchanged: 0, changed: 1, zeroed: 2 } as const;

/** Undefined when the old content cannot be opened. */
export type PageComparer = (region: Buffer, task: DiffTask) => Uint8Array | undefined;

export function comparePages(ranges: RangeOpener): PageComparer {
  const old = Buffer.alloc(regionSize);
  const zeroPage = Buffer.alloc(unitSize);
  // Most regions are one blob: its content is opened into the same memory each time.
  const opened = Buffer.alloc(maxBlobSize);
  return (region, task) => {
    const blobs = openAll(ranges, task, opened);
    if (blobs === undefined) return undefined;
    const covered = task.layout.reduce((sum, { length }) => sum + length, 0);
    if (covered < regionUnits) old.fill(0);
    for (const extent of task.layout) {
      const { first, last } = looksAt(task.mask, extent);
      const from = extent.offset + first - extent.start;
      blobs[extent.blob]?.copy(old, first * unitSize, from * unitSize, (from + last - first) * unitSize);
    }
    const pages = new Uint8Array(regionUnits);
    const count = Math.ceil(region.length / unitSize);
    for (let page = 0; page < count; page += 1) {
      if (task.mask !== undefined && task.mask[page] !== 1) continue;
      const from = page * unitSize;
      const to = Math.min(from + unitSize, region.length);
      if (region.compare(old, from, to, from, to) === 0) continue;
      const isZero = region.compare(zeroPage, 0, to - from, from, to) === 0;
      pages[page] = isZero ? pageResults.zeroed : pageResults.changed;
    }
    return pages;
  };
}

function openAll(ranges: RangeOpener, task: DiffTask, first: Buffer): Buffer[] | undefined {
  const needed = neededParts(task);
  let position = 0;
  try {
    return task.ranges.flatMap((range) =>
      range.blobs.map((blob) => {
        const part = needed[position] ?? { from: 0, to: 0 };
        const into = position === 0 ? first.subarray(0, plainLength(blob.shape)) : undefined;
        position += 1;
        return ranges.open(range, blob, { ...part, into });
      }),
    );
  } catch {
    return undefined;
  }
}

/** Per blob, the bytes between the first and the last page that will be looked at. */
function neededParts(task: DiffTask): { from: number; to: number }[] {
  const parts: { from: number; to: number }[] = [];
  for (const extent of task.layout) {
    const { blob, offset, start } = extent;
    const { first, last } = looksAt(task.mask, extent);
    if (last <= first) continue;
    const from = (offset + first - start) * unitSize;
    const to = (offset + last - start) * unitSize;
    const known = parts[blob];
    parts[blob] = known === undefined ? { from, to } : { from: Math.min(known.from, from), to: Math.max(known.to, to) };
  }
  return parts;
}

/** The first and behind the last unit of an extent that is looked at; equal when none is. */
function looksAt(
  mask: Uint8Array | undefined,
  { start, length }: { readonly start: number; readonly length: number },
): { first: number; last: number } {
  let [first, last] = [start, start + length];
  if (mask === undefined) return { first, last };
  while (first < last && mask[first] !== 1) first += 1;
  while (last > first && mask[last - 1] !== 1) last -= 1;
  return { first, last };
}
