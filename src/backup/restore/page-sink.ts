// Collects what a restore writes into writes that a page blob takes: whole pages of 512 bytes, not more
// than so many at once. Content arrives in any order, in units of 4 KiB, except at the end of a disk.

const page = 512;

/** Pieces of at most `most` bytes, each a multiple of 512: the last one is filled up with zeros. */
export function* pagePieces(
  bytes: Uint8Array,
  offset: number,
  most: number,
): Generator<{ readonly bytes: Uint8Array; readonly start: number; readonly end: number }> {
  if (offset % page !== 0) throw new RangeError(`${offset} is no beginning of a page`);
  for (let at = 0; at < bytes.length; at += most) {
    const piece = bytes.subarray(at, at + most);
    const whole = Math.ceil(piece.length / page) * page;
    const padded = whole === piece.length ? piece : Buffer.concat([piece, Buffer.alloc(whole - piece.length)]);
    yield { bytes: padded, start: offset + at, end: offset + at + whole };
  }
}
