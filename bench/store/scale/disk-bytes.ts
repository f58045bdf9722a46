// Bytes as a disk has them: half of each page compresses well, half does not.

export function diskBytes(length: number): Buffer {
  const content = Buffer.allocUnsafe(length);
  let state = 1;
  for (let at = 0; at < length; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    content.writeUInt32LE((at & 2048) === 0 ? state : Math.floor(at / 4096) & 0xff, at);
  }
  return content;
}
