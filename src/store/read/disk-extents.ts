// The extents of a stretch of a disk, from its map.

import { leafSize, unitSize } from "../format/layout.ts";
import type { Extent } from "../format/map.ts";
import type { MapReader, MapRoot } from "../map/map-reader.ts";

/** Extents with the disk offset at which their leaf begins. */
export interface PlacedLeaf {
  readonly base: number;
  readonly extents: readonly Extent[];
}

const leavesAhead = 8;

/** The leaves of [from, to) that are not holes, ascending; a few are read ahead. */
export async function* placedLeaves(
  maps: MapReader,
  map: MapRoot,
  from: number,
  to: number,
  signal?: AbortSignal,
): AsyncGenerator<PlacedLeaf> {
  const ahead: Promise<PlacedLeaf>[] = [];
  const first = Math.floor(from / leafSize);
  const last = Math.ceil(to / leafSize);
  for await (const { index, id } of maps.leaves(map, first, last, signal)) {
    const loading = maps.leaf(id, signal).then(({ extents }) => ({ base: index * leafSize, extents }));
    loading.catch(() => {}); // awaited below, in order
    ahead.push(loading);
    if (ahead.length >= leavesAhead) {
      const next = ahead.shift();
      if (next !== undefined) yield await next;
    }
  }
  for (const loading of ahead) yield await loading;
}

export const extentOffset = (leaf: PlacedLeaf, extent: Extent): number => leaf.base + extent.start * unitSize;
