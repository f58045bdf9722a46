// Which bytes of a read have arrived. A server may answer in pieces of any order, but must give
// each byte once: otherwise stale memory would pass for the disk's content.

const mostFragments = 4096;

export class Coverage {
  readonly #fragments: { start: number; end: number }[] = [];

  /** False when the piece overlaps what is here already, or when the answer is in absurdly many pieces. */
  add(start: number, end: number): boolean {
    const fragments = this.#fragments;
    const last = fragments.at(-1);
    if (last !== undefined && last.end === start) {
      last.end = end;
      return true;
    }
    let at = fragments.length;
    while (at > 0 && (fragments[at - 1]?.start ?? 0) > start) at -= 1;
    const before = fragments[at - 1];
    const after = fragments[at];
    if ((before !== undefined && before.end > start) || (after !== undefined && after.start < end)) return false;
    if (before?.end === start) before.end = end;
    else fragments.splice(at, 0, { start, end });
    return fragments.length <= mostFragments;
  }

  /** Whether the pieces together are exactly [start, end). */
  isExactly(start: number, end: number): boolean {
    let reached = start;
    for (const fragment of this.#fragments) {
      if (fragment.start !== reached) return false;
      reached = fragment.end;
    }
    return reached === end;
  }
}
