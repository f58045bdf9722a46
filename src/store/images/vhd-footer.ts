// The 512 bytes at the end of a fixed VHD, as in Microsoft's "Virtual Hard Disk Image Format
// Specification". All numbers are big-endian.

export const footerBytes = 512;

export interface VhdGeometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectorsPerTrack: number;
}

export function fixedVhdFooter(size: number, uniqueId: Uint8Array, secondsSince2000: number): Buffer {
  const footer = Buffer.alloc(footerBytes);
  footer.write("conectix", 0, "latin1");
  footer.writeUInt32BE(2, 8); // features: the reserved bit that is always set
  footer.writeUInt32BE(0x00010000, 12); // version of this format
  footer.fill(0xff, 16, 24); // a fixed disk has no dynamic header
  footer.writeUInt32BE(secondsSince2000 >>> 0, 24);
  // Readers trust `current size` only from creators that they know; from others they take the geometry,
  // which cannot express every size.
  footer.write("win ", 28, "latin1");
  footer.writeUInt32BE(0x000a0000, 32);
  footer.write("Wi2k", 36, "latin1");
  footer.writeBigUInt64BE(BigInt(size), 40);
  footer.writeBigUInt64BE(BigInt(size), 48);
  const { cylinders, heads, sectorsPerTrack } = vhdGeometry(size);
  footer.writeUInt16BE(cylinders, 56);
  footer.writeUInt8(heads, 58);
  footer.writeUInt8(sectorsPerTrack, 59);
  footer.writeUInt32BE(2, 60); // fixed
  footer.set(uniqueId.subarray(0, 16), 68);
  footer.writeUInt32BE(checksum(footer), 64);
  return footer;
}

/** The specification's appendix: the geometry that old BIOSes are told. */
export function vhdGeometry(size: number): VhdGeometry {
  const sectors = Math.min(Math.floor(size / 512), 65535 * 16 * 255);
  if (sectors >= 65535 * 16 * 63) return shaped(sectors, 16, 255);
  const guess = Math.floor(sectors / 17);
  let heads = Math.max(4, Math.ceil(guess / 1024));
  if (guess < heads * 1024 && heads <= 16) return shaped(sectors, heads, 17);
  heads = 16;
  if (Math.floor(sectors / 31) < heads * 1024) return shaped(sectors, heads, 31);
  return shaped(sectors, heads, 63);
}

function shaped(sectors: number, heads: number, sectorsPerTrack: number): VhdGeometry {
  return { cylinders: Math.floor(sectors / sectorsPerTrack / heads), heads, sectorsPerTrack };
}

/** The one's complement of the sum of all bytes but the checksum's own. */
export function checksum(footer: Uint8Array): number {
  const sum = footer.reduce((total, byte, at) => (at >= 64 && at < 68 ? total : total + byte), 0);
  return ~sum >>> 0;
}
