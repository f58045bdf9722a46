// The extents of a region after some of its pages changed.

import type { Extent } from "../format/map.ts";
import { pageResults } from "../pipeline/compare-pages.ts";
import { unitSize } from "../format/layout.ts";
import type { NewExtent } from "./leaf-edit.ts";
import type { PatchWriter } from "./patch-writer.ts";

/** `pages`: per unit whether it changed; `content`: the region as it is now. */
export function patchRegion(
  old: readonly Extent[],
  pages: Uint8Array,
  content: Uint8Array,
  patches: PatchWriter,
): NewExtent[] {
  const extents: NewExtent[] = [];
  for (const extent of old) keepUnchanged(extent, pages, extents);
  for (let page = 0; page < pages.length; page += 1) {
    if (pages[page] !== pageResults.changed) continue;
    const place = patches.add(content.subarray(page * unitSize, (page + 1) * unitSize));
    const last = extents.at(-1);
    const continues =
      last !== undefined &&
      last.source === place.blob &&
      last.start + last.length === page &&
      last.offset + last.length === place.offset;
    if (continues) extents[extents.length - 1] = { ...last, length: last.length + 1 };
    else extents.push({ start: page, length: 1, source: place.blob, offset: place.offset });
  }
  return extents.sort((a, b) => a.start - b.start);
}

function keepUnchanged(extent: Extent, pages: Uint8Array, into: NewExtent[]): void {
  const end = extent.start + extent.length;
  let from = extent.start;
  for (let page = extent.start; page <= end; page += 1) {
    if (page < end && pages[page] === pageResults.unchanged) continue;
    if (page > from) {
      into.push({ start: from, length: page - from, source: extent.id, offset: extent.offset + from - extent.start });
    }
    from = page + 1;
  }
}

/** Runs of changed pages: each becomes an extent of its own. */
export function countRuns(pages: Uint8Array): number {
  let runs = 0;
  pages.forEach((page, index) => {
    if (page !== pageResults.unchanged && (index === 0 || pages[index - 1] === pageResults.unchanged)) runs += 1;
  });
  return runs;
}

/** With many runs in a region, single unchanged pages between changed ones are stored along. */
export function closeSmallGaps(pages: Uint8Array, mask: Uint8Array | undefined): Uint8Array {
  if (countRuns(pages) <= 16) return pages;
  const closed = new Uint8Array(pages);
  for (let page = 1; page + 1 < pages.length; page += 1) {
    if (
      pages[page] === pageResults.unchanged &&
      (mask === undefined || mask[page] === 1) &&
      pages[page - 1] === pageResults.changed &&
      pages[page + 1] === pageResults.changed
    ) {
      closed[page] = pageResults.changed;
    }
  }
  return closed;
}
