// Index objects: a copy of the directories of many packs, and which index objects this one replaces.

import { ByteReader, ByteWriter } from "./bytes.ts";
import { formatVersion, idLength, maxPackSize } from "./layout.ts";
import { encodeEntries, readEntries, takeEntries, type PackEntry } from "./pack.ts";

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
  /** `entries`: for `decodeEntries`, or to be read in bulk. */
  pack(pack: IndexedPack, entries: Buffer): void;
}

export function decodeIndex(bytes: Uint8Array, what: string, visitor: IndexVisitor): void {
  visitIndex(bytes, what, visitor, readEntries);
}

/** Like `decodeIndex`; the entries are left to be checked (format/pack.ts, checkEntries). */
export function outlineIndex(bytes: Uint8Array, what: string, visitor: IndexVisitor): void {
  visitIndex(bytes, what, visitor, takeEntries);
}

function visitIndex(
  bytes: Uint8Array,
  what: string,
  visitor: IndexVisitor,
  entriesOf: (reader: ByteReader, packSize: number) => Buffer,
): void {
  const reader = new ByteReader(bytes, what);
  reader.version();
  for (let left = reader.count(idLength); left > 0; left -= 1) visitor.replaces(reader.raw(idLength).toString("hex"));
  for (let left = reader.count(indexedPackLength); left > 0; left -= 1) {
    const hash = reader.raw(idLength).toString("hex");
    const size = reader.u32();
    const epoch = reader.u32();
    const salt = new Uint8Array(reader.raw(32));
    if (size > maxPackSize) throw reader.damaged(`names a pack of ${size} bytes`);
    visitor.pack({ hash, size, epoch, salt }, entriesOf(reader, size));
  }
  reader.end();
}
