// The smallest store of UEFI variables that looks like one.

export function emptyVariables(size: number): Buffer {
  const content = Buffer.alloc(size, 0xff);
  content.fill(0, 0, 72);
  Buffer.from("8d2bf1ff96768b4ca9852747075b4f50", "hex").copy(content, 16);
  content.writeBigUInt64LE(BigInt(size), 32);
  content.write("_FVH", 40);
  return content;
}
