// The replies of the transmission phase, as a machine that is fed bytes as they come. Data goes
// straight into the reader's buffer, where there is much of it even from the kernel. Nothing that the
// server says is believed: every offset, length, cookie and context must fit the request that it answers,
// otherwise the connection is of no more use.

import { nbdErrors } from "./errors.ts";
import type { BlockExtent } from "./extents.ts";
import { printable } from "./option-channel.ts";
import { describeRequest, requestFailure, type PendingRequest } from "./pending-request.ts";
import { chunk, chunkFlags, command, firstErrorChunk, simpleReplyMagic, structuredReplyMagic } from "./protocol.ts";

export interface ReplySource {
  readonly structured: boolean;
  /** The smallest length that an extent may have, but at the end of the export. */
  readonly minimumBlock: number;
  readonly size: number;
  isGranted(context: number): boolean;
  find(cookie: number): PendingRequest | undefined;
  /** The last byte of the reply has come. */
  finish(cookie: number, request: PendingRequest): void;
}

const simpleHeader = 16;
const structuredHeader = 20;
const largestStatus = 8 * 1024 * 1024;
const largestError = 64 * 1024;
/** Reads of less are copied more cheaply than they are waited for apart. */
export const worthwhile = 32 * 1024;
/** A reply of data begins with so many bytes at most: its head and its offset. */
export const longestHead = structuredHeader + 8;

export class ReplyParser {
  readonly #source: ReplySource;
  readonly #header = Buffer.alloc(structuredHeader);
  #headerFilled = 0;
  #headerLength = simpleHeader;
  #cookie = 0;
  #request: PendingRequest | undefined;
  #isLast = false;
  #chunkType = 0;
  /** A small payload being gathered: a data chunk's offset, a hole, extents, an error. */
  #gathered: Buffer | undefined;
  #gatheredFilled = 0;
  /** Payload that is still to come after what was gathered, and where it goes. */
  #dataLeft = 0;
  #dataAt = 0;

  constructor(source: ReplySource) {
    this.#source = source;
  }

  /** Where the next bytes belong, and none but those; undefined when any may come. */
  room(): Uint8Array | undefined {
    if (this.#dataLeft === 0 || this.#gathered !== undefined) return undefined;
    const { shape, into } = this.#request ?? {};
    if (shape === undefined || shape.length < worthwhile) return undefined;
    return into?.subarray(this.#dataAt, this.#dataAt + this.#dataLeft);
  }

  /** What comes next is no payload, but may be followed by one. */
  get isAtHead(): boolean {
    return this.#dataLeft === 0 && (this.#gathered === undefined || this.#chunkType === chunk.data);
  }

  /** So many bytes have come into the room. */
  filled(length: number): void {
    this.#dataAt += length;
    this.#dataLeft -= length;
    if (this.#dataLeft === 0 && this.#request !== undefined) this.#endChunk(this.#request);
  }

  /** Whether the next bytes belong into the buffer of this request. */
  isFilling(request: PendingRequest): boolean {
    return this.#request === request && this.room() !== undefined;
  }

  /** Throws when the server breaks the protocol; the parser must not be fed after that. */
  feed(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#gathered !== undefined) at += this.#gather(bytes, at);
      else if (this.#dataLeft > 0) at += this.#storeData(bytes, at);
      else at += this.#readHeader(bytes, at);
    }
  }

  #readHeader(bytes: Buffer, at: number): number {
    const taken = Math.min(this.#headerLength - this.#headerFilled, bytes.length - at);
    bytes.copy(this.#header, this.#headerFilled, at, at + taken);
    this.#headerFilled += taken;
    if (this.#headerFilled === simpleHeader && this.#headerLength === simpleHeader) {
      const magic = this.#header.readUInt32BE(0);
      if (magic === structuredReplyMagic) {
        if (!this.#source.structured) throw violation("sent a structured reply that was not agreed on");
        this.#headerLength = structuredHeader;
      } else if (magic === simpleReplyMagic) {
        this.#resetHeader();
        this.#beginSimple();
      } else throw violation(`sent a reply that begins with 0x${magic.toString(16)}`);
    } else if (this.#headerFilled === structuredHeader) {
      this.#resetHeader();
      this.#beginChunk();
    }
    return taken;
  }

  #resetHeader(): void {
    this.#headerFilled = 0;
    this.#headerLength = simpleHeader;
  }

  #beginSimple(): void {
    const request = this.#lookUp(this.#header.readUInt32BE(8), this.#header.readUInt32BE(12));
    const errorNumber = this.#header.readUInt32BE(4);
    const { shape } = request;
    const carriesAnswer = shape.command === command.read || shape.command === command.blockStatus;
    if (carriesAnswer && this.#source.structured)
      throw violation(`answered the ${describeRequest(shape)} with a simple reply`);
    this.#isLast = true;
    if (errorNumber !== 0) request.failure ??= requestFailure(shape, errorNumber, "");
    else if (shape.command === command.read) {
      this.#expectData(request, shape.offset, shape.length);
      return;
    }
    this.#endChunk(request);
  }

  #beginChunk(): void {
    const request = this.#lookUp(this.#header.readUInt32BE(8), this.#header.readUInt32BE(12));
    const length = this.#header.readUInt32BE(16);
    this.#isLast = (this.#header.readUInt16BE(4) & chunkFlags.done) !== 0;
    this.#chunkType = this.#header.readUInt16BE(6);
    const { shape } = request;
    const isRead = shape.command === command.read;
    const fits =
      this.#chunkType >= firstErrorChunk
        ? length >= 6 && length <= largestError
        : (this.#chunkType === chunk.none && length === 0 && this.#isLast) ||
          (this.#chunkType === chunk.data && isRead && length > 8 && length - 8 <= shape.length) ||
          (this.#chunkType === chunk.hole && isRead && length === 12) ||
          (this.#chunkType === chunk.blockStatus &&
            shape.command === command.blockStatus &&
            length >= 12 &&
            length % 8 === 4 &&
            length <= largestStatus);
    if (!fits)
      throw violation(
        `answered the ${describeRequest(shape)} with a chunk of type ${this.#chunkType} and ${length} bytes`,
      );
    if (length === 0) {
      this.#endChunk(request);
      return;
    }
    this.#gathered = Buffer.allocUnsafe(this.#chunkType === chunk.data ? 8 : length);
    this.#gatheredFilled = 0;
  }

  #lookUp(high: number, low: number): PendingRequest {
    const request = high === 0 ? this.#source.find(low) : undefined;
    if (request === undefined) throw violation("answered a request that was never made");
    this.#cookie = low;
    this.#request = request;
    return request;
  }

  #gather(bytes: Buffer, at: number): number {
    const gathered = this.#gathered;
    const request = this.#request;
    if (gathered === undefined || request === undefined) return 0;
    const taken = Math.min(gathered.length - this.#gatheredFilled, bytes.length - at);
    bytes.copy(gathered, this.#gatheredFilled, at, at + taken);
    this.#gatheredFilled += taken;
    if (this.#gatheredFilled < gathered.length) return taken;
    this.#gathered = undefined;
    if (this.#chunkType === chunk.data) {
      this.#expectData(request, toOffset(gathered), this.#header.readUInt32BE(16) - 8);
      return taken;
    }
    if (this.#chunkType === chunk.hole) this.#storeHole(request, toOffset(gathered), gathered.readUInt32BE(8));
    else if (this.#chunkType === chunk.blockStatus) this.#storeExtents(request, gathered);
    else storeFailure(request, gathered);
    this.#endChunk(request);
    return taken;
  }

  #expectData(request: PendingRequest, offset: number, length: number): void {
    this.#cover(request, offset, length);
    this.#dataAt = offset - request.shape.offset;
    this.#dataLeft = length;
  }

  #storeData(bytes: Buffer, at: number): number {
    const request = this.#request;
    const taken = Math.min(this.#dataLeft, bytes.length - at);
    if (request?.into !== undefined) request.into.set(bytes.subarray(at, at + taken), this.#dataAt);
    this.filled(taken);
    return taken;
  }

  #storeHole(request: PendingRequest, offset: number, length: number): void {
    this.#cover(request, offset, length);
    const start = offset - request.shape.offset;
    request.into?.fill(0, start, start + length);
  }

  #cover(request: PendingRequest, offset: number, length: number): void {
    const { shape } = request;
    const isInside = length > 0 && offset >= shape.offset && offset + length <= shape.offset + shape.length;
    if (!isInside || !request.coverage.add(offset, offset + length)) {
      throw violation(`answered the ${describeRequest(shape)} with ${length} bytes at ${offset}`);
    }
  }

  #storeExtents(request: PendingRequest, payload: Buffer): void {
    const context = payload.readUInt32BE(0);
    const { shape, extents } = request;
    if (!this.#source.isGranted(context) || extents.has(context)) {
      throw violation(`answered the ${describeRequest(shape)} for meta context ${context}, which was not asked for`);
    }
    const found: BlockExtent[] = [];
    const end = shape.offset + shape.length;
    let offset = shape.offset;
    for (let at = 4; at < payload.length; at += 8) {
      const length = payload.readUInt32BE(at);
      // Only the last one may reach beyond the request.
      const isWhole = length > 0 && (length % this.#source.minimumBlock === 0 || offset + length >= this.#source.size);
      if (!isWhole || offset >= end) {
        throw violation(`answered the ${describeRequest(shape)} with an extent of ${length} bytes at ${offset}`);
      }
      found.push({ offset, length: Math.min(length, end - offset), flags: payload.readUInt32BE(at + 4) });
      offset += length;
    }
    extents.set(context, found);
  }

  #endChunk(request: PendingRequest): void {
    if (!this.#isLast) return;
    const { shape } = request;
    const isShortRead =
      shape.command === command.read &&
      request.failure === undefined &&
      !request.coverage.isExactly(shape.offset, shape.offset + shape.length);
    if (isShortRead) throw violation(`left bytes out of its answer to the ${describeRequest(shape)}`);
    this.#request = undefined;
    this.#source.finish(this.#cookie, request);
  }
}

function storeFailure(request: PendingRequest, payload: Buffer): void {
  const textLength = payload.readUInt16BE(4);
  const text = printable(payload.subarray(6, Math.min(payload.length, 6 + textLength)));
  request.failure ??= requestFailure(request.shape, payload.readUInt32BE(0), text);
}

function toOffset(bytes: Buffer): number {
  const offset = bytes.readBigUInt64BE(0);
  return offset > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(offset);
}

function violation(what: string): Error {
  return nbdErrors.NbdProtocolViolation(`The NBD server ${what}.`);
}
