// One leaf while a backup works on it: what the parent had, and what became of its regions.

import { leafRegions, regionUnits } from "../format/layout.ts";
import type { Extent, Leaf } from "../format/map.ts";
import { splitLeaf, type OldRegion } from "./old-region.ts";
import type { PatchBlob } from "./patch-writer.ts";

/** An extent whose blob may still be waiting for its name. */
export interface NewExtent {
  readonly start: number;
  readonly length: number;
  readonly source: Buffer | PatchBlob;
  readonly offset: number;
}

export interface NewRegion {
  readonly extents: readonly NewExtent[];
  /** Of a composed region, when its whole content was seen. */
  readonly hash: Buffer | undefined;
}

export interface LeafEdit {
  readonly index: number;
  old(region: number): OldRegion | undefined;
  set(region: number, content: NewRegion): void;
  /** The new leaf; undefined when it is a hole. */
  finish(): Promise<Leaf | undefined>;
}

/** `units`: how much of the leaf belongs to the disk. */
export function editLeaf(index: number, parent: Leaf, units: number): LeafEdit {
  const oldRegions = splitLeaf(parent);
  const changed = new Map<number, NewRegion>();
  return {
    index,
    old: (region) => oldRegions.get(region),
    set: (region, content) => {
      changed.set(region, content);
    },
    finish: async () => {
      const extents: Extent[] = [];
      const regionHashes = new Map<number, Buffer>();
      for (let region = 0; region < leafRegions; region += 1) {
        const base = region * regionUnits;
        if (base >= units) break;
        const edited = changed.get(region);
        const old = oldRegions.get(region);
        if (edited !== undefined) {
          for (const { start, length, source, offset } of edited.extents) {
            const id = Buffer.isBuffer(source) ? source : await source.stored;
            extents.push({ start: base + start, length, id, offset });
          }
        } else if (old !== undefined) {
          for (const extent of old.extents) extents.push({ ...extent, start: base + extent.start });
        }
        const hash = edited === undefined ? old?.hash : edited.hash;
        if (hash !== undefined) regionHashes.set(region, hash);
      }
      return extents.length === 0 ? undefined : { extents, regionHashes };
    },
  };
}
