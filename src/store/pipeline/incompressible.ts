// Whether a block is worth compressing, from a sample of 4096 of its bytes: what is compressed or
// encrypted already uses all byte values equally often. The sum of squared counts measures that;
// even a tenth of text or zeros in the block raises it far above the limit.

const spots = 16;
const spotLength = 256;
const smallest = 32 * 1024;

const sampled = spots * spotLength;
const uniform = sampled + (sampled * (sampled - 1)) / 256;
const limit = uniform * 1.06;

export function looksIncompressible(block: Uint8Array): boolean {
  if (block.length < smallest) return false;
  const counts = new Uint32Array(256);
  const step = Math.floor((block.length - spotLength) / (spots - 1));
  for (let spot = 0; spot < spots; spot += 1) {
    const end = spot * step + spotLength;
    for (let at = spot * step; at < end; at += 1) {
      const byte = block[at] ?? 0;
      counts[byte] = (counts[byte] ?? 0) + 1;
    }
  }
  let squares = 0;
  for (const count of counts) squares += count * count;
  return squares < limit;
}
