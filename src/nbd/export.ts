// What a server exports: a disk that can be read at any byte, and perhaps written. The server calls
// several of these at once; each call gets a signal that fires when the client is gone.

import type { BlockExtent } from "./extents.ts";

export interface NbdExport {
  readonly name: string;
  /** One line that clients show in a list. */
  readonly description?: string;
  readonly size: number;
  readonly readOnly: boolean;
  /** Whether clients that ask for a list are told of it; true when absent. */
  readonly isListed?: boolean;
  /** Several connections see each other's flushed writes; always so for read-only exports. */
  readonly multiConnection?: boolean;
  /** The length of request that suits it best; 64 KiB when absent. */
  readonly preferredBlock?: number;
  /** Fills all of `into`. */
  read(into: Uint8Array, offset: number, signal: AbortSignal): Promise<void>;
  /** Holes and zeroes of a range in the flags of `base:allocation`; what is left out counts as data. */
  extents?(offset: number, length: number, signal: AbortSignal): AsyncIterable<BlockExtent>;
  /** `from` is the callee's only until the promise settles. */
  write?(from: Uint8Array, offset: number, signal: AbortSignal): Promise<void>;
  writeZeroes?(offset: number, length: number, signal: AbortSignal): Promise<void>;
  trim?(offset: number, length: number, signal: AbortSignal): Promise<void>;
  /** When it returns, every write that had returned before is durable. */
  flush?(signal: AbortSignal): Promise<void>;
}
