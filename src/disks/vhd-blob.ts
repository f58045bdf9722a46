// A disk as the blob that Azure gives out for it: a fixed VHD, put together while it is read.

import type { PageRange, VirtualBlob } from "../blobs/virtual.ts";
import type { DiskSource } from "../store/index.ts";
import { fixedVhdFooter, footerBytes } from "../store/images/vhd-footer.ts";

export interface ServedDisk {
  readonly size: number;
  /** A GUID; the footer and the entity tag carry it. */
  readonly uniqueId: string;
  readonly createdAt: number;
  /** Lends the open disk for as long as `use` takes. */
  lend<T>(use: (disk: DiskSource) => AsyncGenerator<T>): AsyncGenerator<T>;
}

const pieceSize = 1024 * 1024;
const year2000 = Date.UTC(2000, 0, 1);

export function vhdBlob(served: ServedDisk): VirtualBlob {
  const { uniqueId, createdAt } = served;
  const diskEnd = Math.ceil(served.size / footerBytes) * footerBytes;
  const seconds = Math.max(0, Math.floor((createdAt - year2000) / 1000));
  const footer = fixedVhdFooter(diskEnd, Buffer.from(uniqueId.replaceAll("-", ""), "hex"), seconds);

  return {
    size: diskEnd + footerBytes,
    etag: `"${uniqueId}"`,
    changedAt: createdAt,
    contentType: "application/octet-stream",
    read: (offset, length, signal) =>
      served.lend(async function* (disk) {
        const end = offset + length;
        for (let at = offset; at < Math.min(end, diskEnd);) {
          signal.throwIfAborted();
          const piece = Buffer.alloc(Math.min(pieceSize, end - at, diskEnd - at));
          const ofDisk = Math.max(0, Math.min(piece.length, disk.size - at));
          if (ofDisk > 0) await disk.read(piece.subarray(0, ofDisk), at, signal);
          yield piece;
          at += piece.length;
        }
        if (end > diskEnd) yield footer.subarray(Math.max(0, offset - diskEnd), end - diskEnd);
      }),
    ranges: async (offset, length, signal) => {
      const end = offset + length;
      const found: PageRange[] = [];
      const add = (start: number, stop: number): void => {
        const page = { start: Math.floor(start / 512) * 512, end: Math.ceil(stop / 512) * 512 };
        const last = found.at(-1);
        if (last !== undefined && page.start <= last.end)
          found[found.length - 1] = { start: last.start, end: page.end };
        else found.push(page);
      };
      const listed = served.lend(async function* (disk) {
        const to = Math.min(end, disk.size);
        if (offset >= to) return;
        if (disk.extents === undefined) yield { offset, length: to - offset, kind: "data" as const };
        else yield* disk.extents(offset, to, signal);
      });
      for await (const extent of listed) if (extent.kind === "data") add(extent.offset, extent.offset + extent.length);
      if (end > diskEnd) add(diskEnd, diskEnd + footerBytes);
      return found;
    },
  };
}
