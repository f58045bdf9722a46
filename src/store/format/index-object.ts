// Index objects: a copy of the directories of many packs, and which index objects this one replaces.

import { ByteReader, ByteWriter } from "./bytes.ts";
import { formatVersion, idLength, maxPackSize } from "./layout.ts";
import { checkEntries, encodeEntries, skipEntries, type PackEntry } from "./pack.ts";

/** Hash, size, epoch, salt and count: what a pack takes beside its entries. */
export const indexedPackLength = idLength + 44;

export interface IndexedPack {
  readonly hash: string;
  readonly size: number;
  readonly epoch: number;
  readonly salt: Uint8Array;
}

export interface IndexedPackEntries extends IndexedPack {
  readonly entries: readonly PackEntry[];
}

export function encodeIndex(replaces: readonly string[], packs: readonly IndexedPackEntries[]): Buffer {
  const writer = new ByteWriter(1 << 16);
  writer.u8(formatVersion);
  writer.varint(replaces.length);
  for (const hash of replaces) writer.raw(Buffer.from(hash, "hex"));
  writer.varint(packs.length);
  for (const pack of packs) {
    writer.raw(Buffer.from(pack.hash, "hex"));
    writer.u32(pack.size);
    writer.u32(pack.epoch);
    writer.raw(pack.salt);
    encodeEntries(writer, pack.entries);
  }
  return writer.finish();
}

export interface IndexVisitor {
  replaces(hash: string): void;
  /** `entries`: for `decodeEntries`. */
  pack(pack: IndexedPack, entries: Buffer): void;
}

export function decodeIndex(bytes: Uint8Array, what: string, visitor: IndexVisitor): void {
  const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  outlineIndex(content, what, {
    replaces: visitor.replaces,
    pack: (at, entriesLength) => {
      const entriesAt = at + indexedPackLength;
      const size = content.readUInt32LE(at + packFields.size);
      checkEntries(content, entriesAt, entriesAt + entriesLength, size, what);
      const hash = content.toString("hex", at, at + idLength);
      const epoch = content.readUInt32LE(at + packFields.epoch);
      const salt = new Uint8Array(content.subarray(at + packFields.salt, at + packFields.salt + 32));
      visitor.pack({ hash, size, epoch, salt }, content.subarray(entriesAt, entriesAt + entriesLength));
    },
  });
}

/** Where the fields of a pack are, from where its description begins with its hash; its entries follow. */
export const packFields = { size: idLength, epoch: idLength + 4, salt: idLength + 8 } as const;

export interface IndexOutline {
  replaces?(hash: string): void;
  /** A pack is described from `at` on; its entries take so many bytes and are not checked (format/pack.ts, checkEntries). */
  pack(at: number, entriesLength: number): void;
}

export function outlineIndex(bytes: Uint8Array, what: string, visitor: IndexOutline): void {
  const reader = new ByteReader(bytes, what);
  reader.version();
  for (let left = reader.count(idLength); left > 0; left -= 1) {
    const replaced = reader.raw(idLength);
    visitor.replaces?.(replaced.toString("hex"));
  }
  for (let left = reader.count(indexedPackLength); left > 0; left -= 1) {
    const at = reader.position;
    reader.skip(packFields.size);
    const size = reader.u32();
    if (size > maxPackSize) throw reader.damaged(`names a pack of ${size} bytes`);
    reader.skip(indexedPackLength - packFields.epoch - 4);
    visitor.pack(at, skipEntries(reader));
  }
  reader.end();
}
