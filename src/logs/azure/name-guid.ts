// A GUID for what has a name and no GUID of its own; the same name always gives the same one.

import { createHash } from "node:crypto";

export function nameGuid(...names: readonly string[]): string {
  const hash = createHash("sha256").update(names.join("\0")).digest().subarray(0, 16);
  // Version 8, the variant of RFC 9562: made in our own way.
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x80, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  return hash.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
