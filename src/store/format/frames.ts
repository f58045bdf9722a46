// The compressed form of a blob: zstd frames of 256 KiB of content each, so that a few pages can be
// had without opening a whole megabyte. Compresses as well as one frame, because zstd chooses its
// tables by the size of the input.

import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";

const frameSize = 256 * 1024;
const lengthBytes = 3;

const compression = { chunkSize: frameSize, params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** Lengths of all frames (u24 each), then the frames, as pieces; one that does not shrink is stored plain. */
export function compressFrames(content: Uint8Array): Uint8Array[] {
  const count = Math.ceil(content.length / frameSize);
  const lengths = Buffer.alloc(count * lengthBytes);
  const pieces: Uint8Array[] = [lengths];
  for (let frame = 0; frame < count; frame += 1) {
    const plain = content.subarray(frame * frameSize, (frame + 1) * frameSize);
    const packed = zstdCompressSync(plain, compression);
    const piece = packed.length < plain.length ? packed : plain;
    lengths.writeUIntLE(piece.length, frame * lengthBytes, lengthBytes);
    pieces.push(piece);
  }
  return pieces;
}

/** Content from `from` to `to` (all when absent) in a buffer of `length` bytes; the rest of it is arbitrary. */
export function decompressFrames(encoded: Buffer, length: number, from = 0, to = length): Buffer {
  const count = Math.ceil(length / frameSize);
  const content = Buffer.allocUnsafeSlow(length);
  let at = count * lengthBytes;
  for (let frame = 0; frame < count; frame += 1) {
    const stored = encoded.readUIntLE(frame * lengthBytes, lengthBytes);
    const first = frame * frameSize;
    const size = Math.min(frameSize, length - first);
    if (at + stored > encoded.length || stored > size) throw new RangeError("a frame ends outside its blob");
    if (first < to && first + size > from) {
      const part = encoded.subarray(at, at + stored);
      const plain = stored === size ? part : zstdDecompressSync(part, { chunkSize: size + 64, maxOutputLength: size });
      if (plain.length !== size) throw new RangeError("a frame has another length than its place");
      content.set(plain, first);
    }
    at += stored;
  }
  if (at !== encoded.length) throw new RangeError("there are bytes behind the last frame");
  return content;
}
