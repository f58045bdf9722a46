// Reading and writing of binary forms. A reader never trusts a length: every step is checked
// against what is there, and every failure is ObjectDamaged or FormatFromTheFuture.

import { storeErrors } from "../errors.ts";
import { formatVersion } from "./layout.ts";

export class ByteWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(expected = 4096) {
    this.#bytes = Buffer.allocUnsafe(expected);
  }

  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#length] = value;
    this.#length += 1;
  }

  u24(value: number): void {
    this.#room(3);
    this.#bytes.writeUIntLE(value, this.#length, 3);
    this.#length += 3;
  }

  u32(value: number): void {
    this.#room(4);
    this.#bytes.writeUInt32LE(value, this.#length);
    this.#length += 4;
  }

  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.u8(rest);
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** A view of what was written; valid until the next write. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #room(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + count));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

export class ByteReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #position = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  get position(): number {
    return this.#position;
  }

  u8(): number {
    this.#need(1);
    const value = this.#bytes.readUInt8(this.#position);
    this.#position += 1;
    return value;
  }

  u24(): number {
    this.#need(3);
    const value = this.#bytes.readUIntLE(this.#position, 3);
    this.#position += 3;
    return value;
  }

  u32(): number {
    this.#need(4);
    const value = this.#bytes.readUInt32LE(this.#position);
    this.#position += 4;
    return value;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 8; count += 1) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw this.damaged("holds a number beyond 2^53");
        return value;
      }
      scale *= 0x80;
    }
    throw this.damaged("holds a number of more than 8 bytes");
  }

  /** A count of things of at least `each` bytes: never more than fit into what remains. */
  count(each: number): number {
    const value = this.varint();
    if (value * each > this.remaining) throw this.damaged(`announces ${value} entries, more than fit`);
    return value;
  }

  /** A view, not a copy. */
  raw(length: number): Buffer {
    this.#need(length);
    const part = this.#bytes.subarray(this.#position, this.#position + length);
    this.#position += length;
    return part;
  }

  skip(length: number): void {
    this.#need(length);
    this.#position += length;
  }

  version(): void {
    const version = this.u8();
    checkVersion(version, this.#what);
  }

  end(): void {
    if (this.remaining !== 0) throw this.damaged(`has ${this.remaining} bytes behind its end`);
  }

  damaged(how: string): Error {
    return storeErrors.ObjectDamaged(`${this.#what} ${how}.`);
  }

  #need(count: number): void {
    if (this.remaining < count) throw this.damaged(`ends ${count - this.remaining} bytes too early`);
  }
}

export function checkVersion(version: number | undefined, what: string): void {
  if (version === formatVersion) return;
  if (version !== undefined && version > formatVersion) {
    throw storeErrors.FormatFromTheFuture(
      `${what} has format version ${version}; this Holdfast reads ${formatVersion}.`,
    );
  }
  throw storeErrors.ObjectDamaged(`${what} does not begin with a format version.`);
}
