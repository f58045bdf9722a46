// Memory outside of the heap that is needed no more. The garbage collector would find it, but runs the
// more often the more of it there is, and every piece that it has not found yet costs fresh pages.

/** Frees it at once, where it is nobody else's: nothing that looks at it may be used again. */
export function giveBack(bytes: Uint8Array): void {
  const memory = bytes.buffer;
  if (!(memory instanceof ArrayBuffer) || memory.byteLength !== bytes.byteLength || memory.detached) return;
  memory.transfer(0);
}
