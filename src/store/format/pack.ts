// Packs: header | blobs | directory | u32 length of the directory.

import { createCipheriv, createDecipheriv, type CipherKey } from "node:crypto";
import { storeErrors } from "../errors.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { formatVersion, idLength, maxBlobSize, tagLength, type BlobKind } from "./layout.ts";
import { giveBack } from "../../lib/memory.ts";
import { decompressFrames } from "./frames.ts";
import { headerLength, type ObjectHeader } from "./sealed.ts";

export const entryLength = idLength + 6;
const directoryMark = Buffer.from("directory");

/** Bits 0-20 plain length, bit 21 zstd, bits 22-23 kind. */
export type Shape = number;
const compressedBit = 1 << 21;

export const makeShape = (kind: BlobKind, length: number, compressed: boolean): Shape =>
  length | (compressed ? compressedBit : 0) | (kind << 22);
export const plainLength = (shape: Shape): number => shape & (compressedBit - 1);
export const isCompressed = (shape: Shape): boolean => (shape & compressedBit) !== 0;
export const kindOf = (shape: Shape): number => (shape >>> 22) & 3;

export interface PackEntry {
  readonly id: Buffer;
  readonly offset: number;
  readonly storedLength: number;
  readonly shape: Shape;
}

export function packNonce(offset: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(offset, 8);
  return nonce;
}

export function blobContext(shape: Shape, id: Uint8Array): Buffer {
  const context = Buffer.allocUnsafe(4 + idLength);
  context[0] = formatVersion;
  context.writeUIntLE(shape, 1, 3);
  context.set(id, 4);
  return context;
}

export interface OpenBlobOptions {
  /** Where its content goes: as long as the content, and undefined bytes when the blob does not open. */
  readonly into?: Buffer | undefined;
  /** With `from` and `to` only that part of the result is certain to be filled. */
  readonly from?: number;
  readonly to?: number;
}

/** Opens one blob. */
export function openBlob(
  key: CipherKey,
  entry: Pick<PackEntry, "id" | "offset" | "shape">,
  stored: Uint8Array,
  { into, from, to }: OpenBlobOptions = {},
): Buffer {
  const what = `Blob ${Buffer.from(entry.id).toString("hex", 0, 8)}`;
  if (stored.length < tagLength) throw storeErrors.ObjectDamaged(`${what} is shorter than its tag.`);
  const decipher = createDecipheriv("aes-256-gcm", key, packNonce(entry.offset));
  decipher.setAAD(blobContext(entry.shape, entry.id));
  decipher.setAuthTag(stored.subarray(stored.length - tagLength));
  const length = plainLength(entry.shape);
  try {
    const encoded = decipher.update(stored.subarray(0, stored.length - tagLength));
    decipher.final();
    if (!isCompressed(entry.shape)) {
      if (encoded.length === length) return into === undefined ? encoded : filled(into, encoded);
    } else {
      const content = into ?? Buffer.allocUnsafeSlow(length);
      decompressFrames(encoded, content, from, to);
      giveBack(encoded);
      return content;
    }
  } catch (cause) {
    throw storeErrors.ObjectDamaged(`${what} does not open: its bytes were changed or moved.`, { cause });
  }
  throw storeErrors.ObjectDamaged(`${what} has another length than its directory says.`);
}

function filled(into: Buffer, content: Buffer): Buffer {
  into.set(content);
  giveBack(content);
  return into;
}

export function encodeEntries(writer: ByteWriter, entries: readonly PackEntry[]): void {
  writer.u32(entries.length);
  for (const entry of entries) {
    writer.raw(entry.id);
    writer.u24(entry.storedLength);
    writer.u24(entry.shape);
  }
}

/** The entries as they are stored, checked: a count, then `entryLength` bytes each. */
export function readEntries(reader: ByteReader, packSize: number): Buffer {
  const count = countEntries(reader);
  const entries = reader.raw(count * entryLength);
  const wrong = whatIsWrong(entries, 0, entries.length, packSize);
  if (wrong !== undefined) throw reader.damaged(wrong);
  return entries;
}

/** Passes over entries, not checked yet; gives how many bytes they take. */
export function skipEntries(reader: ByteReader): number {
  const length = countEntries(reader) * entryLength;
  reader.skip(length);
  return length;
}

function countEntries(reader: ByteReader): number {
  const count = reader.u32();
  if (count * entryLength > reader.remaining) throw reader.damaged(`announces ${count} blobs, more than fit`);
  return count;
}

/** Of entries that `skipEntries` passed over. */
export function checkEntries(content: Buffer, from: number, to: number, packSize: number, what: string): void {
  const wrong = whatIsWrong(content, from, to, packSize);
  if (wrong !== undefined) throw storeErrors.ObjectDamaged(`${what} ${wrong}.`);
}

function whatIsWrong(content: Buffer, from: number, to: number, packSize: number): string | undefined {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  let offset = headerLength;
  for (let at = from + idLength; at < to; at += entryLength) {
    const storedLength = view.getUint32(at, true) & 0xffffff;
    const length = plainLength(view.getUint32(at + 2, true) >>> 8);
    offset += storedLength;
    if (length > maxBlobSize || length === 0 || storedLength < tagLength)
      return "describes a blob of an impossible size";
    if (offset > packSize) return "describes blobs beyond the pack's end";
  }
  return undefined;
}

/** Entries that `readEntries` gave; the offsets follow from the lengths. Ids are views. */
export function decodeEntries(entries: Buffer): PackEntry[] {
  const decoded: PackEntry[] = [];
  let offset = headerLength;
  for (let at = 0; at < entries.length; at += entryLength) {
    const storedLength = readU24(entries, at + idLength);
    const shape = readU24(entries, at + idLength + 3);
    decoded.push({ id: entries.subarray(at, at + idLength), offset, storedLength, shape });
    offset += storedLength;
  }
  return decoded;
}

const readU24 = (bytes: Buffer, at: number): number =>
  (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);

export function sealDirectory(
  key: CipherKey,
  header: ObjectHeader,
  offset: number,
  entries: readonly PackEntry[],
): Buffer {
  const writer = new ByteWriter(8 + entries.length * entryLength);
  writer.u8(formatVersion);
  encodeEntries(writer, entries);
  const cipher = createCipheriv("aes-256-gcm", key, packNonce(offset));
  cipher.setAAD(Buffer.concat([header.bytes, directoryMark]));
  const body = [cipher.update(writer.finish()), cipher.final(), cipher.getAuthTag()];
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.reduce((sum, part) => sum + part.length, 0));
  return Buffer.concat([...body, length]);
}

/** `stored`: the directory without the trailing length; `offset`: where in the pack it begins. */
export function openDirectory(
  key: Uint8Array,
  header: ObjectHeader,
  offset: number,
  stored: Buffer,
  what: string,
): PackEntry[] {
  if (stored.length < tagLength) throw storeErrors.ObjectDamaged(`${what}: its directory is too short.`);
  const decipher = createDecipheriv("aes-256-gcm", key, packNonce(offset));
  decipher.setAAD(Buffer.concat([header.bytes, directoryMark]));
  decipher.setAuthTag(stored.subarray(stored.length - tagLength));
  let plain: Buffer;
  try {
    plain = decipher.update(stored.subarray(0, stored.length - tagLength));
    decipher.final();
  } catch (cause) {
    throw storeErrors.ObjectDamaged(`${what}: its directory was changed.`, { cause });
  }
  const reader = new ByteReader(plain, `The directory of ${what}`);
  reader.version();
  const entries = readEntries(reader, offset);
  reader.end();
  return decodeEntries(entries);
}
