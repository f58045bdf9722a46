// The compressed form of a blob: zstd frames of 256 KiB of content each, so that a few pages can be
// had without opening a whole megabyte.

import { createCompressor, createDecompressor, frameBound } from "../../lib/zstd.ts";

const frameSize = 256 * 1024;
const lengthBytes = 3;

// zstd would look for shorter repetitions in so short a content. Without those it takes a tenth less
// time, and 1.7 % more bytes of a system disk.
const compressor = createCompressor({ level: 1, minMatch: 7 });
const decompressor = createDecompressor();
/** For the last frame of a blob: its content and a byte more, which shows that there is no more of it. */
const opened = Buffer.alloc(frameSize + 1);

/** What the compressed form of so much content may take while it is being made. */
export const framesBound = (length: number): number =>
  Math.ceil(length / frameSize) * lengthBytes + length + frameBound(frameSize);

/** Writes the lengths of all frames (u24 each), then the frames; one that does not shrink is stored plain. */
export function compressFrames(content: Uint8Array, into: Buffer): Buffer {
  const count = Math.ceil(content.length / frameSize);
  let at = count * lengthBytes;
  for (let frame = 0; frame < count; frame += 1) {
    const plain = content.subarray(frame * frameSize, (frame + 1) * frameSize);
    const packed = compressor.compress(plain, into.subarray(at));
    if (packed >= plain.length) into.set(plain, at);
    const length = Math.min(packed, plain.length);
    into.writeUIntLE(length, frame * lengthBytes, lengthBytes);
    at += length;
  }
  return into.subarray(0, at);
}

/** Fills `into`, whose length is the content's, from `from` to `to`; the rest of it stays as it was. */
export function decompressFrames(encoded: Buffer, into: Uint8Array, from = 0, to = into.length): void {
  const count = Math.ceil(into.length / frameSize);
  let at = count * lengthBytes;
  for (let frame = 0; frame < count; frame += 1) {
    const stored = encoded.readUIntLE(frame * lengthBytes, lengthBytes);
    const first = frame * frameSize;
    const size = Math.min(frameSize, into.length - first);
    if (at + stored > encoded.length || stored > size) throw new RangeError("a frame ends outside its blob");
    if (first < to && first + size > from) {
      const part = encoded.subarray(at, at + stored);
      if (stored === size) into.set(part, first);
      else openFrame(part, into, first, size);
    }
    at += stored;
  }
  if (at !== encoded.length) throw new RangeError("there are bytes behind the last frame");
}

/** In its place where a byte behind it may be touched: there the next frame comes. */
function openFrame(part: Buffer, into: Uint8Array, first: number, size: number): void {
  const hasRoom = into.length > first + size;
  const target = hasRoom ? into.subarray(first, first + size + 1) : opened;
  const length = decompressor.decompress(part, target);
  if (length !== size) throw new RangeError("a frame has another length than its place");
  if (!hasRoom) into.set(opened.subarray(0, size), first);
}
