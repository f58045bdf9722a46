// Which pages of a region changed: the old content is put together from its blobs and compared.

import { regionSize, regionUnits, unitSize } from "../format/layout.ts";
import type { DiffTask } from "./messages.ts";
import type { RangeOpener } from "./open-range.ts";

export const pageResults = { unchanged: 0, changed: 1, zeroed: 2 } as const;

/** Undefined when the old content cannot be opened. */
export type PageComparer = (region: Buffer, task: DiffTask) => Uint8Array | undefined;

export function comparePages(ranges: RangeOpener): PageComparer {
  const old = Buffer.alloc(regionSize);
  const zeroPage = Buffer.alloc(unitSize);
  return (region, task) => {
    const blobs = openAll(ranges, task);
    if (blobs === undefined) return undefined;
    const covered = task.layout.reduce((sum, { length }) => sum + length, 0);
    if (covered < regionUnits) old.fill(0);
    for (const { start, length, blob, offset } of task.layout) {
      blobs[blob]?.copy(old, start * unitSize, offset * unitSize, (offset + length) * unitSize);
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

function openAll(ranges: RangeOpener, task: DiffTask): Buffer[] | undefined {
  const needed = neededParts(task);
  let position = 0;
  try {
    return task.ranges.flatMap((range) =>
      range.blobs.map((blob) => {
        const part = needed[position] ?? { from: 0, to: 0 };
        position += 1;
        return ranges.open(range, blob, part);
      }),
    );
  } catch {
    return undefined;
  }
}

/** Per blob, the bytes between the first and the last page that will be looked at. */
function neededParts(task: DiffTask): { from: number; to: number }[] {
  const parts: { from: number; to: number }[] = [];
  for (const { start, length, blob, offset } of task.layout) {
    const first = task.mask === undefined ? start : firstMasked(task.mask, start, start + length);
    const last = task.mask === undefined ? start + length : lastMasked(task.mask, start, start + length);
    if (last <= first) continue;
    const from = (offset + first - start) * unitSize;
    const to = (offset + last - start) * unitSize;
    const known = parts[blob];
    parts[blob] = known === undefined ? { from, to } : { from: Math.min(known.from, from), to: Math.max(known.to, to) };
  }
  return parts;
}

function firstMasked(mask: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && mask[at] !== 1) at += 1;
  return at;
}

function lastMasked(mask: Uint8Array, from: number, to: number): number {
  let at = to;
  while (at > from && mask[at - 1] !== 1) at -= 1;
  return at;
}
