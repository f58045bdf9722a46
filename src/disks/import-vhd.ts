// A fixed VHD that comes as a stream: all bytes but the last 512 are the disk. The footer decides
// whether it was one, so nothing of the disk counts before the stream has ended well.

import { checksum, footerBytes } from "../store/images/vhd-footer.ts";
import { diskErrors } from "./errors.ts";

export interface FixedVhd {
  /** Of the disk inside. */
  readonly size: number;
  /** Fails at the end when there was no footer of a fixed disk of that size. */
  readonly pieces: AsyncIterable<{ readonly bytes: Uint8Array; readonly offset: number }>;
}

const fixedDisk = 2;

export async function openFixedVhd(length: number, body: AsyncIterable<Uint8Array>): Promise<FixedVhd> {
  const size = length - footerBytes;
  if (size < footerBytes || size % footerBytes !== 0) {
    throw diskErrors.DiskImportRefused(`${length} bytes are no fixed VHD: a disk and a footer of 512 bytes.`);
  }
  return { size, pieces: split(size, body) };
}

async function* split(
  size: number,
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ bytes: Uint8Array; offset: number }> {
  const footer = Buffer.alloc(footerBytes);
  let at = 0;
  for await (const piece of body) {
    if (at + piece.length > size + footerBytes) break;
    const ofDisk = Math.max(0, Math.min(piece.length, size - at));
    if (ofDisk > 0) yield { bytes: piece.subarray(0, ofDisk), offset: at };
    if (ofDisk < piece.length) footer.set(piece.subarray(ofDisk), at + ofDisk - size);
    at += piece.length;
  }
  const isFixed =
    at === size + footerBytes &&
    footer.toString("latin1", 0, 8) === "conectix" &&
    footer.readUInt32BE(60) === fixedDisk &&
    footer.readUInt32BE(64) === checksum(footer);
  if (!isFixed) throw diskErrors.DiskImportRefused("What was read does not end with the footer of a fixed VHD.");
  if (Number(footer.readBigUInt64BE(48)) !== size) {
    throw diskErrors.DiskImportRefused(
      `The footer tells of a disk of ${footer.readBigUInt64BE(48)} bytes; there are ${size}.`,
    );
  }
}
