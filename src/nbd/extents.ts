// A stretch of a disk with one set of flags; what block status speaks in.

export interface BlockExtent {
  readonly offset: number;
  readonly length: number;
  readonly flags: number;
}

/** Neighbours with the same flags become one. */
export async function* mergeExtents(extents: AsyncIterable<BlockExtent>): AsyncGenerator<BlockExtent> {
  let held: BlockExtent | undefined;
  for await (const extent of extents) {
    if (held !== undefined && held.flags === extent.flags && held.offset + held.length === extent.offset) {
      held = { offset: held.offset, length: held.length + extent.length, flags: held.flags };
      continue;
    }
    if (held !== undefined) yield held;
    held = extent;
  }
  if (held !== undefined) yield held;
}
