// Replies of the transmission phase. A promise of these settles when the bytes have left our memory,
// which is what bounds it: whoever answers waits before taking on more.

import type { Socket } from "node:net";
import { chunk, chunkFlags, simpleReplyMagic, structuredReplyMagic } from "./protocol.ts";

export class ReplyWriter {
  readonly #socket: Socket;
  readonly #structured: boolean;

  constructor(socket: Socket, structured: boolean) {
    this.#socket = socket;
    this.#structured = structured;
  }

  done(cookie: Buffer): Promise<void> {
    return this.#structured ? this.#chunk(cookie, chunk.none, true, []) : this.#simple(cookie, 0, []);
  }

  failed(cookie: Buffer, errorNumber: number): Promise<void> {
    if (!this.#structured) return this.#simple(cookie, errorNumber, []);
    const payload = Buffer.alloc(6);
    payload.writeUInt32BE(errorNumber);
    return this.#chunk(cookie, chunk.error, true, [payload]);
  }

  data(cookie: Buffer, offset: number, bytes: Uint8Array, isLast: boolean): Promise<void> {
    return this.#structured
      ? this.#chunk(cookie, chunk.data, isLast, [encodeOffset(offset), bytes])
      : this.#simple(cookie, 0, [bytes]);
  }

  hole(cookie: Buffer, offset: number, length: number, isLast: boolean): Promise<void> {
    const payload = Buffer.alloc(12);
    encodeOffset(offset).copy(payload);
    payload.writeUInt32BE(length, 8);
    return this.#chunk(cookie, chunk.hole, isLast, [payload]);
  }

  blockStatus(cookie: Buffer, context: number, extents: readonly { length: number; flags: number }[]): Promise<void> {
    const payload = Buffer.alloc(4 + extents.length * 8);
    payload.writeUInt32BE(context);
    extents.forEach(({ length, flags }, index) => {
      payload.writeUInt32BE(length, 4 + index * 8);
      payload.writeUInt32BE(flags, 8 + index * 8);
    });
    return this.#chunk(cookie, chunk.blockStatus, true, [payload]);
  }

  #simple(cookie: Buffer, errorNumber: number, payload: readonly Uint8Array[]): Promise<void> {
    const header = Buffer.allocUnsafe(16);
    header.writeUInt32BE(simpleReplyMagic, 0);
    header.writeUInt32BE(errorNumber, 4);
    cookie.copy(header, 8);
    return this.#send([header, ...payload]);
  }

  #chunk(cookie: Buffer, type: number, isLast: boolean, payload: readonly Uint8Array[]): Promise<void> {
    const header = Buffer.allocUnsafe(20);
    header.writeUInt32BE(structuredReplyMagic, 0);
    header.writeUInt16BE(isLast ? chunkFlags.done : 0, 4);
    header.writeUInt16BE(type, 6);
    cookie.copy(header, 8);
    header.writeUInt32BE(
      payload.reduce((sum, { length }) => sum + length, 0),
      16,
    );
    return this.#send([header, ...payload]);
  }

  #send(parts: readonly Uint8Array[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const last = parts.length - 1;
      this.#socket.cork();
      parts.forEach((part, index) => {
        if (index < last) this.#socket.write(part);
        else this.#socket.write(part, (error) => (error === undefined || error === null ? resolve() : reject(error)));
      });
      this.#socket.uncork();
    });
  }
}

function encodeOffset(offset: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(offset));
  return bytes;
}
