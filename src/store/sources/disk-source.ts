// What a backup reads. Implementations: raw files here, NBD exports and machines elsewhere.

export interface SourceExtent {
  readonly offset: number;
  readonly length: number;
  /** `zero` is a promise that the range reads as zeros; `data` promises nothing. */
  readonly kind: "data" | "zero";
}

export interface DirtyRun {
  readonly offset: number;
  readonly length: number;
}

export interface DiskSource {
  /** In bytes; any size, not only whole sectors. */
  readonly size: number;
  /** Fills all of `into` from `offset`, or fails. Called with ranges inside the disk only. */
  read(into: Uint8Array, offset: number, signal?: AbortSignal): Promise<void>;
  /** Covers [from, to) without gaps, ascending; absent: everything is read. */
  extents?(from: number, to: number, signal?: AbortSignal): AsyncIterable<SourceExtent>;
  /** Where the disk may differ from the parent point; ascending. Absent: everywhere. */
  readonly dirty?: readonly DirtyRun[];
}
