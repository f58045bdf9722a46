// A zip archive as it is read, in constant memory: sizes and checksums follow each file (bit 3), and
// everything beyond 4 GiB or 65,535 entries is said in zip64 records. Content is stored as it is.

import { crc32 } from "node:zlib";
import type { Entry } from "./entries.ts";
import type { ReadEntry } from "./tar.ts";

const large = 0xffffffff;
/** Names in UTF-8, sizes behind the content. */
const flags = 0x0808;
const unixMadeBy = (3 << 8) | 45;

interface Placed {
  readonly entry: Entry;
  readonly name: Buffer;
  readonly crc: number;
  readonly size: number;
  readonly offset: number;
}

export async function* zipArchive(entries: readonly Entry[], read: ReadEntry): AsyncGenerator<Uint8Array> {
  const placed: Placed[] = [];
  let position = 0;
  const out = (bytes: Buffer): Buffer => {
    position += bytes.length;
    return bytes;
  };
  for (const entry of entries) {
    if (entry.kind === "other") continue;
    const name = Buffer.from(safeName(entry));
    const offset = position;
    yield out(localHeader(entry, name));
    let crc = 0;
    let size = 0;
    for await (const piece of content(entry, read)) {
      crc = crc32(piece, crc);
      size += piece.length;
      position += piece.length;
      yield piece;
    }
    yield out(descriptor(crc, size));
    placed.push({ entry, name, crc, size, offset });
  }
  const directory = position;
  for (const each of placed) yield out(centralHeader(each));
  yield endRecords(placed.length, directory, position - directory);
}

async function* content(entry: Entry, read: ReadEntry): AsyncGenerator<Uint8Array> {
  if (entry.kind === "link") yield Buffer.from(entry.linkTarget ?? "");
  else if (entry.kind === "file" && entry.sizeBytes > 0) yield* read(entry);
}

/** Unpackers on other systems take `\` for a separator, and a drive letter for a drive. */
function safeName({ path, kind }: Entry): string {
  return path.replace(/[\\:]/g, "_") + (kind === "folder" ? "/" : "");
}

function localHeader(entry: Entry, name: Buffer): Buffer {
  const bytes = Buffer.alloc(30 + 20);
  bytes.writeUInt32LE(0x04034b50, 0);
  bytes.writeUInt16LE(45, 4);
  bytes.writeUInt16LE(flags, 6);
  bytes.writeUInt32LE(dosTime(entry.modifiedAt), 10);
  bytes.writeUInt32LE(large, 18); // both sizes are in the descriptor, with eight bytes each
  bytes.writeUInt32LE(large, 22);
  bytes.writeUInt16LE(name.length, 26);
  bytes.writeUInt16LE(20, 28);
  bytes.writeUInt16LE(1, 30);
  bytes.writeUInt16LE(16, 32);
  return Buffer.concat([bytes.subarray(0, 30), name, bytes.subarray(30)]);
}

function descriptor(crc: number, size: number): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeUInt32LE(0x08074b50, 0);
  bytes.writeUInt32LE(crc, 4);
  bytes.writeBigUInt64LE(BigInt(size), 8);
  bytes.writeBigUInt64LE(BigInt(size), 16);
  return bytes;
}

function centralHeader({ entry, name, crc, size, offset }: Placed): Buffer {
  const bytes = Buffer.alloc(46);
  const extra = Buffer.alloc(28);
  bytes.writeUInt32LE(0x02014b50, 0);
  bytes.writeUInt16LE(unixMadeBy, 4);
  bytes.writeUInt16LE(45, 6);
  bytes.writeUInt16LE(flags, 8);
  bytes.writeUInt32LE(dosTime(entry.modifiedAt), 12);
  bytes.writeUInt32LE(crc, 16);
  bytes.writeUInt32LE(large, 20);
  bytes.writeUInt32LE(large, 24);
  bytes.writeUInt16LE(name.length, 28);
  bytes.writeUInt16LE(extra.length, 30);
  const kind = { file: 0o100000, folder: 0o040000, link: 0o120000, other: 0 }[entry.kind];
  bytes.writeUInt32LE((((kind | entry.mode) << 16) | (entry.kind === "folder" ? 0x10 : 0)) >>> 0, 38);
  bytes.writeUInt32LE(large, 42);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(24, 2);
  extra.writeBigUInt64LE(BigInt(size), 4);
  extra.writeBigUInt64LE(BigInt(size), 12);
  extra.writeBigUInt64LE(BigInt(offset), 20);
  return Buffer.concat([bytes, name, extra]);
}

function endRecords(count: number, directory: number, length: number): Buffer {
  const wide = Buffer.alloc(56 + 20);
  wide.writeUInt32LE(0x06064b50, 0);
  wide.writeBigUInt64LE(44n, 4);
  wide.writeUInt16LE(unixMadeBy, 12);
  wide.writeUInt16LE(45, 14);
  wide.writeBigUInt64LE(BigInt(count), 24);
  wide.writeBigUInt64LE(BigInt(count), 32);
  wide.writeBigUInt64LE(BigInt(length), 40);
  wide.writeBigUInt64LE(BigInt(directory), 48);
  wide.writeUInt32LE(0x07064b50, 56);
  wide.writeBigUInt64LE(BigInt(directory + length), 64);
  wide.writeUInt32LE(1, 72);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(count, 0xffff), 8);
  end.writeUInt16LE(Math.min(count, 0xffff), 10);
  end.writeUInt32LE(Math.min(length, large), 12);
  end.writeUInt32LE(Math.min(directory, large), 16);
  return Buffer.concat([wide, end]);
}

function dosTime(milliseconds: number): number {
  const [date = "", time = ""] = new Date(Math.max(milliseconds, Date.UTC(1980, 0, 1))).toISOString().split("T");
  const [year = 1980, month = 1, day = 1] = date.replace(/^\+0*/, "").split("-").map(Number);
  const [hour = 0, minute = 0, second = 0] = time.slice(0, 8).split(":").map(Number);
  const days = (Math.min(year - 1980, 127) << 9) | (month << 5) | day;
  return ((days << 16) | (hour << 11) | (minute << 5) | (second >> 1)) >>> 0;
}
