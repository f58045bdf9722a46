// One batch in the journal: length, checksum, sequence number, then the batch. What follows the last
// whole frame of a segment was never acknowledged.

import { crc32 } from "node:zlib";

export interface Frame {
  readonly sequence: number;
  readonly payload: Buffer;
}

const headerLength = 16;
export const largestPayload = 64 * 1024 * 1024;

/** Room for a frame whose payload the caller writes; its number comes when it is its turn. */
export function newFrame(payloadLength: number): Buffer {
  return Buffer.allocUnsafe(headerLength + payloadLength);
}

export function payloadOf(frame: Buffer): Buffer {
  return frame.subarray(headerLength);
}

export function numberFrame(frame: Buffer, sequence: number): void {
  frame.writeUInt32LE(frame.length - headerLength, 0);
  frame.writeBigUInt64LE(BigInt(sequence), 8);
  frame.writeUInt32LE(crc32(frame.subarray(8)), 4);
}

/** The whole frames of a segment, and where they end. */
export function decodeFrames(segment: Buffer): { readonly frames: readonly Frame[]; readonly end: number } {
  const frames: Frame[] = [];
  let at = 0;
  while (at + headerLength <= segment.length) {
    const length = segment.readUInt32LE(at);
    const next = at + headerLength + length;
    if (length > largestPayload || next > segment.length) break;
    if (crc32(segment.subarray(at + 8, next)) !== segment.readUInt32LE(at + 4)) break;
    frames.push({
      sequence: Number(segment.readBigUInt64LE(at + 8)),
      payload: segment.subarray(at + headerLength, next),
    });
    at = next;
  }
  return { frames, end: at };
}
