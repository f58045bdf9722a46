// Memory outside of the heap that is needed no more. The garbage collector would find it, but runs the
// more often the more of it there is, and every piece that it has not found yet costs fresh pages.

/** Frees it at once, where it is nobody else's: nothing that looks at it may be used again. */
export function giveBack(bytes: Uint8Array): void {
  const memory = bytes.buffer;
  if (!(memory instanceof ArrayBuffer) || memory.byteLength !== bytes.byteLength || memory.detached) return;
  memory.transfer(0);
}

/** The bytes in memory of their own, which can be given to another thread; `slack` bytes beside them do not count. */
export function ownMemory(bytes: Uint8Array, slack = 0): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes;
  const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength - byteLength <= slack;
  return isOwn ? new Uint8Array(buffer, byteOffset, byteLength) : new Uint8Array(bytes);
}
