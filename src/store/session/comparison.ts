// Fetching what a region was, to find the pages that changed, where that costs less than it saves.

import { plainLength } from "../format/pack.ts";
import { regionUnits, unitSize } from "../format/layout.ts";
import type { StoredRange } from "../pipeline/messages.ts";
import { groupByPack, type BlobReader, type LocatedBlob } from "../read/blob-reader.ts";
import type { OldRegion } from "./old-region.ts";

export type OldContent = BlobReader;

export interface Comparison {
  readonly ranges: readonly StoredRange[];
  readonly layout: readonly { start: number; length: number; blob: number; offset: number }[];
}

/** More old bytes than this per changed byte are not opened: the dirty run is stored as it is. */
const costLimit = 24;

/** Undefined when the old content is not worth it; fails when it is not there. */
export async function prepareComparison(
  blobs: OldContent,
  old: OldRegion | undefined,
  mask: Uint8Array | undefined,
  signal: AbortSignal,
): Promise<Comparison | undefined> {
  const extents = (old?.extents ?? []).filter(
    ({ start, length }) => mask === undefined || mask.subarray(start, start + length).includes(1),
  );
  const wanted = new Map<string, LocatedBlob>();
  for (const { id } of extents) {
    wanted.set(id.toString("latin1"), await blobs.locate(id, signal));
  }
  const toOpen = [...wanted.values()].reduce((sum, { shape }) => sum + plainLength(shape), 0);
  const dirty = mask === undefined ? regionUnits : mask.reduce((sum, unit) => sum + unit, 0);
  if (toOpen > costLimit * dirty * unitSize) return undefined;
  const groups = groupByPack([...wanted.values()], ({ shape }) => plainLength(shape));
  const ranges = await Promise.all(groups.map((group) => blobs.fetch(group, 0, signal)));
  const order = new Map<string, number>();
  for (const range of ranges) {
    for (const { id } of range.blobs) order.set(Buffer.from(id).toString("latin1"), order.size);
  }
  const layout = extents.map(({ start, length, id, offset }) => ({
    start,
    length,
    offset,
    blob: order.get(id.toString("latin1")) ?? -1,
  }));
  return { ranges, layout };
}
