// What the parent point says of one region.

import { regionUnits } from "../format/layout.ts";
import type { Extent, Leaf } from "../format/map.ts";

/** Extents relative to the region. */
export interface OldRegion {
  readonly extents: readonly Extent[];
  /** Of the whole region; undefined when it is not known, or the region is a hole. */
  readonly hash: Buffer | undefined;
}

const maxBlobs = 32;
const maxExtents = 96;

/** All regions of a leaf at once: a leaf's extents are walked one time. */
export function splitLeaf(leaf: Leaf): Map<number, OldRegion> {
  const extents = new Map<number, Extent[]>();
  for (const extent of leaf.extents) {
    const end = extent.start + extent.length;
    for (let at = extent.start; at < end;) {
      const region = Math.floor(at / regionUnits);
      const to = Math.min(end, (region + 1) * regionUnits);
      const part = {
        start: at - region * regionUnits,
        length: to - at,
        id: extent.id,
        offset: extent.offset + at - extent.start,
      };
      const present = extents.get(region);
      if (present === undefined) extents.set(region, [part]);
      else present.push(part);
      at = to;
    }
  }
  const regions = new Map<number, OldRegion>();
  for (const [region, parts] of extents) {
    regions.set(region, { extents: parts, hash: leaf.regionHashes.get(region) });
  }
  return regions;
}

/** `units`: how long the region is. A region that is one whole blob is named by that blob's id. */
export function regionHash(region: OldRegion, units: number): Buffer | undefined {
  const [first] = region.extents;
  const isOneBlob = region.extents.length === 1 && first?.start === 0 && first.offset === 0 && first.length === units;
  return region.hash ?? (isOneBlob ? first.id : undefined);
}

export function distinctIds(extents: readonly Extent[]): Map<string, Buffer> {
  return new Map(extents.map(({ id }) => [id.toString("latin1"), id]));
}

/** Reading such a region would take too many pieces: it is stored whole instead. */
export function isTooFragmented(extents: readonly Extent[], additional: number): boolean {
  return extents.length + 2 * additional > maxExtents || distinctIds(extents).size + Math.min(additional, 2) > maxBlobs;
}
