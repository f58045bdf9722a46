// A disk behind NBD, as the rest of Holdfast uses it: reads and writes of any length, block status
// as a stream, and a connection that is made anew when it breaks. What cannot be repeated safely,
// namely writes that were acknowledged but not flushed before the connection broke, is an error.

import { HoldfastError } from "../lib/errors.ts";
import { seededRandom } from "../lib/random.ts";
import { retry, unlessAborted } from "../lib/time.ts";
import { describeAddress, type NbdAddress } from "./address.ts";
import type { NbdClientTls } from "./client-socket.ts";
import { openConnection, type ConnectionOptions, type NbdConnection } from "./connection.ts";
import { nbdErrors } from "./errors.ts";
import type { BlockSizes } from "./export-info.ts";
import { mergeExtents, type BlockExtent } from "./extents.ts";
import type { PendingRequest, RequestShape } from "./pending-request.ts";
import { command, commandFlags, transmissionFlags } from "./protocol.ts";

export type ConnectNbdOptions = NbdAddress & {
  readonly exportName: string;
  readonly tls?: NbdClientTls;
  /** For example `base:allocation` and `qemu:dirty-bitmap:NAME`. */
  readonly metaContexts?: readonly string[];
  /** How often a broken connection is made anew before its requests fail; 8 when absent, 0 is never. */
  readonly reconnectAttempts?: number;
  readonly handshakeTimeoutMilliseconds?: number;
  readonly silenceMilliseconds?: number;
  /** The server has so many requests of ours at a time, the others wait here; 64 when absent. */
  readonly requestsInFlight?: number;
};

export interface WriteOptions {
  /** The write is durable before it returns. */
  readonly forceUnitAccess?: boolean;
}

export interface WriteZeroesOptions extends WriteOptions {
  /** The zeroes must take space; otherwise the server may punch a hole. */
  readonly allocate?: boolean;
}

export interface NbdClient extends AsyncDisposable {
  readonly size: number;
  readonly blockSizes: BlockSizes;
  readonly readOnly: boolean;
  readonly supports: {
    readonly flush: boolean;
    readonly forceUnitAccess: boolean;
    readonly trim: boolean;
    readonly writeZeroes: boolean;
    readonly cache: boolean;
    readonly multiConnection: boolean;
  };
  /** The meta contexts that the server granted. */
  readonly metaContexts: readonly string[];
  /** Fills all of `into` from `offset` on. */
  read(into: Uint8Array, offset: number, signal?: AbortSignal): Promise<void>;
  /** The stretches of [offset, offset + length) with the flags of one granted meta context, in order. */
  blockStatus(offset: number, length: number, context: string, signal?: AbortSignal): AsyncIterable<BlockExtent>;
  write(from: Uint8Array, offset: number, options?: WriteOptions, signal?: AbortSignal): Promise<void>;
  writeZeroes(offset: number, length: number, options?: WriteZeroesOptions, signal?: AbortSignal): Promise<void>;
  trim(offset: number, length: number, signal?: AbortSignal): Promise<void>;
  /** Asks the server to have the range ready for reading soon. */
  cache(offset: number, length: number, signal?: AbortSignal): Promise<void>;
  flush(signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Large enough to cost little per request, small enough that several are on their way at once. */
const payloadPiece = 512 * 1024;
/** Requests without payload; a multiple of every block size, below QEMU's limit of 2 GiB. */
const longPiece = 0x7fff0000;
const defaultReconnectAttempts = 8;

export async function connectNbd(options: ConnectNbdOptions, signal?: AbortSignal): Promise<NbdClient> {
  const address: NbdAddress =
    "socketPath" in options ? { socketPath: options.socketPath } : { host: options.host, port: options.port };
  const connectionOptions: ConnectionOptions = { ...options, address };
  const connection = await openConnection(connectionOptions, signal);
  return new ReconnectingClient(connection, connectionOptions, options.reconnectAttempts ?? defaultReconnectAttempts);
}

class ReconnectingClient implements NbdClient {
  readonly size: number;
  readonly blockSizes: BlockSizes;
  readonly readOnly: boolean;
  readonly supports: NbdClient["supports"];
  readonly metaContexts: readonly string[];
  readonly #options: ConnectionOptions;
  readonly #reconnectAttempts: number;
  readonly #flags: number;
  #connection: NbdConnection;
  #reconnecting: Promise<NbdConnection> | undefined;
  #final: unknown;
  readonly #closing = new AbortController();
  /** Acknowledged writes, and how many of them a flush has made durable. */
  #written = 0;
  #flushed = 0;

  constructor(connection: NbdConnection, options: ConnectionOptions, reconnectAttempts: number) {
    this.#connection = connection;
    this.#options = options;
    this.#reconnectAttempts = reconnectAttempts;
    const { size, flags, blockSizes } = connection.info;
    const has = (flag: number): boolean => (flags & flag) !== 0;
    this.#flags = flags;
    this.size = size;
    this.blockSizes = blockSizes;
    this.readOnly = has(transmissionFlags.readOnly);
    this.supports = {
      flush: has(transmissionFlags.flush),
      forceUnitAccess: has(transmissionFlags.fua),
      trim: has(transmissionFlags.trim),
      writeZeroes: has(transmissionFlags.writeZeroes),
      cache: has(transmissionFlags.cache),
      multiConnection: has(transmissionFlags.multiConnection),
    };
    this.metaContexts = [...connection.contexts.keys()];
  }

  async read(into: Uint8Array, offset: number, signal?: AbortSignal): Promise<void> {
    this.#checkRange("read", offset, into.length);
    if (into.length <= payloadPiece && into.length <= this.blockSizes.maximum) {
      await this.#request({ command: command.read, offset, length: into.length, into }, signal);
      return;
    }
    await this.#inPieces(into, offset, (into, offset) =>
      this.#request({ command: command.read, offset, length: into.length, into }, signal),
    );
  }

  async write(from: Uint8Array, offset: number, options: WriteOptions = {}, signal?: AbortSignal): Promise<void> {
    this.#checkRange("write", offset, from.length);
    await this.#inPieces(from, offset, (from, offset) =>
      this.#change({ command: command.write, offset, length: from.length, from }, options, signal),
    );
  }

  async writeZeroes(
    offset: number,
    length: number,
    options: WriteZeroesOptions = {},
    signal?: AbortSignal,
  ): Promise<void> {
    this.#checkRange("write-zeroes", offset, length);
    if (!this.supports.writeZeroes) {
      const zeroes = new Uint8Array(Math.min(length, payloadPiece));
      for (let at = 0; at < length; at += zeroes.length) {
        await this.write(zeroes.subarray(0, Math.min(zeroes.length, length - at)), offset + at, options, signal);
      }
      return;
    }
    const flags = options.allocate === true ? commandFlags.noHole : 0;
    await this.#long(offset, length, (offset, length) =>
      this.#change({ command: command.writeZeroes, offset, length, flags }, options, signal),
    );
  }

  async trim(offset: number, length: number, signal?: AbortSignal): Promise<void> {
    this.#checkRange("trim", offset, length);
    if (!this.supports.trim) return; // a hint, and the server does not take hints
    await this.#long(offset, length, (offset, length) =>
      this.#change({ command: command.trim, offset, length }, {}, signal),
    );
  }

  async cache(offset: number, length: number, signal?: AbortSignal): Promise<void> {
    this.#checkRange("cache", offset, length);
    if (!this.supports.cache) return; // likewise a hint
    await this.#long(offset, length, (offset, length) =>
      this.#request({ command: command.cache, offset, length }, signal),
    );
  }

  async flush(signal?: AbortSignal): Promise<void> {
    const covered = this.#written;
    if (this.supports.flush) await this.#request({ command: command.flush, offset: 0, length: 0 }, signal);
    this.#flushed = Math.max(this.#flushed, covered);
  }

  blockStatus(offset: number, length: number, context: string, signal?: AbortSignal): AsyncIterable<BlockExtent> {
    if (!this.metaContexts.includes(context)) {
      throw nbdErrors.NbdRequestInvalid(
        `The meta context ${context} was not granted for the export ${this.#options.exportName}; granted are: ${this.metaContexts.join(", ") || "none"}.`,
      );
    }
    this.#checkRange("block status", offset, length);
    return mergeExtents(this.#blockStatus(offset, length, context, signal));
  }

  async *#blockStatus(
    offset: number,
    length: number,
    context: string,
    signal?: AbortSignal,
  ): AsyncGenerator<BlockExtent> {
    const end = offset + length;
    while (offset < end) {
      const shape = { command: command.blockStatus, offset, length: Math.min(longPiece, end - offset) };
      // Numbers of contexts may differ from one connection to the next.
      const { extents, connection } = await this.#requestOn(shape, signal);
      const found = extents.get(connection.contexts.get(context) ?? -1);
      const last = found?.at(-1);
      if (found === undefined || last === undefined) {
        throw nbdErrors.NbdProtocolViolation(`The NBD server gave no extents of ${context} at ${offset}.`);
      }
      yield* found;
      offset = last.offset + last.length;
    }
  }

  async close(): Promise<void> {
    this.#final ??= nbdErrors.NbdConnectionLost(
      `The connection to the export ${this.#options.exportName} was closed by its owner.`,
    );
    this.#closing.abort(this.#final);
    await this.#reconnecting?.catch(() => {});
    await this.#connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #change(shape: RequestShape, options: WriteOptions, signal: AbortSignal | undefined): Promise<void> {
    if (this.readOnly) throw nbdErrors.NbdRequestInvalid(`The export ${this.#options.exportName} is read-only.`);
    const isForced = options.forceUnitAccess === true && this.supports.forceUnitAccess;
    await this.#request(isForced ? { ...shape, flags: (shape.flags ?? 0) | commandFlags.fua } : shape, signal);
    if (isForced) return;
    this.#written += 1;
    if (options.forceUnitAccess === true) await this.flush(signal);
  }

  async #request(shape: RequestShape, signal: AbortSignal | undefined): Promise<void> {
    await this.#requestOn(shape, signal);
  }

  async #requestOn(
    shape: RequestShape,
    signal: AbortSignal | undefined,
  ): Promise<{ extents: PendingRequest["extents"]; connection: NbdConnection }> {
    for (let losses = 0; ; losses += 1) {
      const connection = this.#connection.isAlive ? this.#connection : await this.#reconnect(signal);
      try {
        const { extents } = await connection.request(shape, signal);
        return { extents, connection };
      } catch (error) {
        signal?.throwIfAborted();
        if (!isLoss(error) || losses >= this.#reconnectAttempts) throw error;
      }
    }
  }

  #reconnect(signal: AbortSignal | undefined): Promise<NbdConnection> {
    if (this.#final !== undefined) return Promise.reject(this.#final);
    this.#reconnecting ??= this.#openAgain().finally(() => {
      this.#reconnecting = undefined;
    });
    return unlessAborted(this.#reconnecting, signal);
  }

  async #openAgain(): Promise<NbdConnection> {
    const place = `${this.#options.exportName} at ${describeAddress(this.#options.address)}`;
    if (this.#written > this.#flushed) {
      this.#final = nbdErrors.NbdWritesLost(
        `The connection to ${place} broke with ${this.#written - this.#flushed} writes not flushed.`,
      );
      throw this.#final;
    }
    const policy = {
      attempts: Math.max(1, this.#reconnectAttempts),
      firstDelayMilliseconds: 50,
      maxDelayMilliseconds: 5000,
      isTransient: isLoss,
    };
    const jitter = seededRandom(this.#flags + this.size);
    const connection = await retry(
      policy,
      () => openConnection(this.#options, this.#closing.signal),
      jitter,
      this.#closing.signal,
    );
    const { size, flags } = connection.info;
    const hasContexts = this.metaContexts.every((name) => connection.contexts.has(name));
    if (size !== this.size || flags !== this.#flags || !hasContexts) {
      await connection.close();
      this.#final = nbdErrors.NbdExportChanged(
        `The export ${place} came back with ${size} bytes instead of ${this.size}, or with other abilities.`,
      );
      throw this.#final;
    }
    this.#connection = connection;
    return connection;
  }

  #checkRange(what: string, offset: number, length: number): void {
    const { minimum } = this.blockSizes;
    const isWhole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
    if (!isWhole || offset + length > this.size) {
      throw nbdErrors.NbdRequestInvalid(
        `${what} of ${length} bytes at ${offset} reaches beyond the disk of ${this.size} bytes.`,
      );
    }
    if (offset % minimum !== 0 || (length % minimum !== 0 && offset + length !== this.size)) {
      throw nbdErrors.NbdRequestInvalid(
        `${what} of ${length} bytes at ${offset} must be aligned to the export's ${minimum} bytes.`,
      );
    }
  }

  /** Whatever happens, no piece is on its way any more when this returns. */
  async #inPieces(
    bytes: Uint8Array,
    offset: number,
    run: (piece: Uint8Array, offset: number) => Promise<void>,
  ): Promise<void> {
    const step = Math.min(payloadPiece, this.blockSizes.maximum);
    const pieces: Promise<void>[] = [];
    for (let at = 0; at < bytes.length; at += step) {
      pieces.push(run(bytes.subarray(at, Math.min(at + step, bytes.length)), offset + at));
    }
    for (const result of await Promise.allSettled(pieces)) if (result.status === "rejected") throw result.reason;
  }

  async #long(offset: number, length: number, run: (offset: number, length: number) => Promise<void>): Promise<void> {
    for (let at = 0; at < length; at += longPiece) await run(offset + at, Math.min(longPiece, length - at));
  }
}

const losses = new Set(["NbdConnectionLost", "NbdTimedOut", "NbdUnreachable"]);

function isLoss(error: unknown): boolean {
  return error instanceof HoldfastError && losses.has(error.code);
}
