// The changed stretches of a disk as a list of bounded length. A guest that writes everywhere must not
// cost us memory: when there are too many runs the small gaps between them count as changed, which is
// read in vain but never wrong.

import type { BlockExtent } from "../../nbd/extents.ts";
import { dirtyFlag } from "../../nbd/protocol.ts";
import type { DirtyRun } from "../../store/index.ts";

export interface DirtyLimits {
  readonly runs: number;
  /** Gaps up to this are closed first; doubled until the runs are few enough. */
  readonly gapBytes: number;
}

const defaultLimits: DirtyLimits = { runs: 65_536, gapBytes: 64 * 1024 };

/** From `grownFrom` to `size` everything counts as changed. */
export async function collectDirtyRuns(
  extents: AsyncIterable<BlockExtent>,
  grownFrom: number,
  size: number,
  limits: DirtyLimits = defaultLimits,
): Promise<DirtyRun[]> {
  let runs: { offset: number; length: number }[] = [];
  let gap = 0;
  const add = (offset: number, length: number): void => {
    const last = runs.at(-1);
    if (last !== undefined && offset <= last.offset + last.length + gap) {
      last.length = Math.max(last.length, offset + length - last.offset);
    } else runs.push({ offset, length });
  };
  const addBounded = (offset: number, length: number): void => {
    add(offset, length);
    while (runs.length > limits.runs) {
      gap = gap === 0 ? limits.gapBytes : gap * 2;
      const all = runs;
      runs = [];
      for (const run of all) add(run.offset, run.length);
    }
  };
  for await (const { offset, length, flags } of extents) {
    if ((flags & dirtyFlag) === 0 || offset >= grownFrom) continue;
    addBounded(offset, Math.min(length, grownFrom - offset));
  }
  if (grownFrom < size) addBounded(grownFrom, size - grownFrom);
  return runs;
}
