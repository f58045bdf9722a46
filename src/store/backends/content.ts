// The content of a put is one piece or a list of pieces; backends look at it through these.

import { createHash } from "node:crypto";
import { objectErrors } from "./errors.ts";

export type ObjectContent = Uint8Array | readonly Uint8Array[];

export function piecesOf(content: ObjectContent): readonly Uint8Array[] {
  return content instanceof Uint8Array ? [content] : content;
}

export function sizeOf(content: ObjectContent): number {
  return piecesOf(content).reduce((sum, piece) => sum + piece.byteLength, 0);
}

/** One buffer with the whole content; no copy when it is one piece already. */
export function joined(content: ObjectContent): Buffer {
  const pieces = piecesOf(content);
  const only = pieces.length === 1 ? pieces[0] : undefined;
  return only === undefined ? Buffer.concat(pieces) : Buffer.from(only.buffer, only.byteOffset, only.byteLength);
}

/** For backends whose service does not check the hash itself. */
export function checkContentHash(name: string, content: ObjectContent, sha256: Uint8Array | undefined): void {
  if (sha256 === undefined) return;
  const hash = createHash("sha256");
  for (const piece of piecesOf(content)) hash.update(piece);
  if (hash.digest().equals(sha256)) return;
  throw objectErrors.ObjectCorrupted(`The content of ${name} does not have the SHA-256 that was announced.`);
}

/** The bytes [offset, offset + length) of an object of `size` bytes, or ObjectTooShort. */
export function checkRange(
  name: string,
  size: number,
  offset = 0,
  length?: number,
): { offset: number; length: number } {
  const wanted = length ?? Math.max(0, size - offset);
  if (offset + wanted <= size) return { offset, length: wanted };
  throw objectErrors.ObjectTooShort(
    `The object ${name} has ${size} bytes; ${wanted} bytes from offset ${offset} were asked for.`,
    { facts: { size, offset, length: wanted } },
  );
}
