// Changed pages of many regions, put together into blobs of 16 pages: small enough to be read for
// the sake of one page, large enough that their names cost little.

import { unitSize } from "../format/layout.ts";

const pagesPerBlob = 16;

/** A blob that is being filled; `stored` gives its id. */
export interface PatchBlob {
  readonly stored: Promise<Buffer>;
}

export interface PatchPlace {
  readonly blob: PatchBlob;
  readonly offset: number;
}

export interface PatchWriter {
  add(page: Uint8Array): PatchPlace;
  /** Stores what is not full yet. */
  flush(): void;
}

export function patchWriter(store: (content: ArrayBuffer) => Promise<Buffer>): PatchWriter {
  let current: { bytes: Buffer; pages: number; blob: PatchBlob; resolve: (id: Promise<Buffer>) => void } | undefined;

  function flush(): void {
    if (current === undefined) return;
    const { bytes, pages, resolve } = current;
    current = undefined;
    const content = new ArrayBuffer(pages * unitSize);
    Buffer.from(content).set(bytes.subarray(0, pages * unitSize));
    resolve(store(content));
  }

  return {
    add: (page) => {
      if (current === undefined) {
        const { promise, resolve } = Promise.withResolvers<Buffer>();
        promise.catch(() => {}); // whoever waits for the leaf sees the failure
        current = { bytes: Buffer.alloc(pagesPerBlob * unitSize), pages: 0, blob: { stored: promise }, resolve };
      }
      const place = { blob: current.blob, offset: current.pages };
      current.bytes.set(page, current.pages * unitSize);
      current.pages += 1;
      if (current.pages === pagesPerBlob) flush();
      return place;
    },
    flush,
  };
}
