// Azure's CRC-64 (reflected polynomial 9A6C9329AC4BC9B5, all ones before and after; little-endian on
// the wire), in halves of 32 bits.

export interface Crc64 {
  update(bytes: Uint8Array): void;
  digest(): Buffer;
}

const { high: tableHigh, low: tableLow } = makeTable();

export function crc64(): Crc64 {
  let high = 0xffffffff;
  let low = 0xffffffff;
  return {
    update: (bytes) => {
      for (const byte of bytes) {
        const index = (low ^ byte) & 0xff;
        low = ((low >>> 8) | (high << 24)) ^ (tableLow[index] ?? 0);
        high = (high >>> 8) ^ (tableHigh[index] ?? 0);
      }
    },
    digest: () => {
      const sum = Buffer.alloc(8);
      sum.writeUInt32LE(~low >>> 0, 0);
      sum.writeUInt32LE(~high >>> 0, 4);
      return sum;
    },
  };
}

function makeTable(): { high: Int32Array; low: Int32Array } {
  const high = new Int32Array(256);
  const low = new Int32Array(256);
  for (let index = 0; index < 256; index += 1) {
    let upper = 0;
    let lower = index;
    for (let bit = 0; bit < 8; bit += 1) {
      const odd = lower & 1;
      lower = (lower >>> 1) | (upper << 31);
      upper >>>= 1;
      if (odd === 1) {
        upper ^= 0x9a6c9329;
        lower ^= 0xac4bc9b5;
      }
    }
    high[index] = upper;
    low[index] = lower;
  }
  return { high, low };
}
