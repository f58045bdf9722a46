// Blobs that are not stored: a reader is asked for their bytes when a client is. Exported disks are
// served in this way straight from a vault. They can be read, never written, and nobody lists them.

import { lockKey, type BlobAddress } from "./names.ts";

export interface VirtualBlob {
  readonly size: number;
  readonly etag: string;
  readonly changedAt: number;
  readonly contentType?: string;
  /** Exactly `length` bytes from `offset`, in pieces. */
  read(offset: number, length: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Where there is data in [offset, offset + length), sorted; everything if absent. */
  ranges?(offset: number, length: number, signal: AbortSignal): Promise<readonly PageRange[]>;
}

export interface PageRange {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

export interface VirtualBlobs {
  find(address: BlobAddress): VirtualBlob | undefined;
  /** Serves it until the returned function is called. */
  serve(address: BlobAddress, blob: VirtualBlob): () => void;
}

export function virtualBlobs(): VirtualBlobs {
  const served = new Map<string, VirtualBlob>();
  return {
    find: (address) => (address.snapshot === undefined ? served.get(lockKey(address)) : undefined),
    serve: (address, blob) => {
      const key = lockKey(address);
      served.set(key, blob);
      return () => {
        if (served.get(key) === blob) served.delete(key);
      };
    },
  };
}
