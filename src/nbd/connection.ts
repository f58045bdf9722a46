// One connection in its transmission phase: requests out, replies in, until one side ends it.

import { monotonicMilliseconds } from "../lib/clock.ts";
import { describeAddress } from "./address.ts";
import { nbdErrors } from "./errors.ts";
import type { ExportInfo } from "./export-info.ts";
import { Gate } from "./gate.ts";
import { enterExport, haggle, type AgreedExport, type Endpoint, type Haggling } from "./handshake.ts";
import { newPendingRequest, type PendingRequest, type RequestShape } from "./pending-request.ts";
import { command, requestMagic } from "./protocol.ts";
import { longestHead, ReplyParser, worthwhile } from "./reply-parser.ts";

export interface ConnectionOptions extends Endpoint {
  readonly exportName: string;
  readonly metaContexts?: readonly string[];
  /** A server that has requests of ours and says nothing for so long is given up. */
  readonly silenceMilliseconds?: number;
  /** The server has so many requests of ours at a time; 64 when absent. */
  readonly requestsInFlight?: number;
}

const defaultSilence = 60_000;
const defaultRequestsInFlight = 64;
const largestCookie = 0xffffffff;

export function openConnection(options: ConnectionOptions, signal?: AbortSignal): Promise<NbdConnection> {
  return haggle(
    options,
    async (haggling) => {
      const agreed = await enterExport(haggling, options.exportName, options.metaContexts ?? []);
      return new NbdConnection(haggling, agreed, options);
    },
    signal,
  );
}

export class NbdConnection {
  readonly info: ExportInfo;
  /** Numbers of the granted meta contexts by name. */
  readonly contexts: ReadonlyMap<string, number>;
  readonly #pending = new Map<number, PendingRequest>();
  readonly #gate: Gate;
  readonly #haggling: Haggling;
  readonly #place: string;
  readonly #silence: number;
  readonly #parser: ReplyParser;
  #largeReads = 0;
  #cookie = 0;
  #heardAt = monotonicMilliseconds();
  #watch: NodeJS.Timeout | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(haggling: Haggling, agreed: AgreedExport, options: ConnectionOptions) {
    this.#haggling = haggling;
    this.info = agreed.info;
    this.contexts = new Map([...agreed.contexts].map(([id, name]) => [name, id]));
    this.#place = describeAddress(options.address);
    this.#silence = options.silenceMilliseconds ?? defaultSilence;
    this.#gate = new Gate(options.requestsInFlight ?? defaultRequestsInFlight);
    const parser = (this.#parser = new ReplyParser({
      structured: agreed.structured,
      minimumBlock: agreed.info.blockSizes.minimum,
      size: agreed.info.size,
      isGranted: (context) => agreed.contexts.has(context),
      find: (cookie) => this.#pending.get(cookie),
      finish: (cookie, request) => {
        this.#pending.delete(cookie);
        if (isLarge(request.shape)) this.#largeReads -= 1;
        if (request.failure === undefined) request.resolve(request);
        else request.reject(request.failure);
      },
    }));
    const guard = (parse: () => void): void => {
      if (this.#failure !== undefined) return;
      this.#heardAt = monotonicMilliseconds();
      try {
        parse();
      } catch (error) {
        this.#fail(error);
      }
    };
    const receive = (bytes: Buffer): void => guard(() => parser.feed(bytes));
    const { socket, link, reader } = haggling;
    const headRoom = Buffer.allocUnsafeSlow(longestHead);
    link.onBytes(receive, {
      // With a payload to come, its head is read alone: what follows then goes where it belongs.
      next: () => parser.room() ?? (this.#largeReads > 0 && parser.isAtHead ? headRoom : undefined),
      filled: (room, length) =>
        room === headRoom ? receive(headRoom.subarray(0, length)) : guard(() => parser.filled(length)),
    });
    const rest = reader.takeRest();
    if (rest.length > 0) receive(rest);
    const lost = (cause?: Error): void =>
      this.#fail(nbdErrors.NbdConnectionLost(`The NBD server at ${this.#place} closed the connection.`, { cause }));
    socket.on("error", lost);
    socket.on("end", () => lost());
    socket.on("close", () => lost());
    if (socket.destroyed) lost();
  }

  get isAlive(): boolean {
    return this.#failure === undefined;
  }

  async request(shape: RequestShape, signal?: AbortSignal): Promise<PendingRequest> {
    const queued = this.#gate.enter();
    if (queued !== undefined) await queued;
    try {
      signal?.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure.error;
      return await this.#send(shape, signal);
    } finally {
      this.#gate.leave();
    }
  }

  /** Says good-bye as the protocol wants it; never fails. */
  async close(): Promise<void> {
    const { socket } = this.#haggling;
    if (this.isAlive && this.#pending.size === 0) socket.write(encodeHeader(command.disconnect, 0, 0, 0, 0));
    const closed = nbdErrors.NbdConnectionLost(`The connection to ${this.#place} was closed by its owner.`);
    this.#fail(closed, this.#pending.size > 0);
    if (socket.closed) return;
    await new Promise<void>((resolve) => {
      socket.once("close", () => resolve());
      const timer = setTimeout(() => socket.destroy(), 1000);
      socket.once("close", () => clearTimeout(timer));
      socket.end();
    });
  }

  #send(shape: RequestShape, signal: AbortSignal | undefined): Promise<PendingRequest> {
    return new Promise((resolve, reject) => {
      const pending = newPendingRequest(shape, resolve, reject);
      const cookie = this.#nextCookie();
      if (this.#pending.size === 0) this.#heardAt = monotonicMilliseconds();
      this.#pending.set(cookie, pending);
      if (isLarge(shape)) this.#largeReads += 1;
      this.#startWatch();
      if (signal !== undefined) this.#obey(signal, pending);
      const { socket } = this.#haggling;
      const header = encodeHeader(shape.command, shape.flags ?? 0, cookie, shape.offset, shape.length);
      if (shape.from === undefined) {
        socket.write(header);
        return;
      }
      socket.cork();
      socket.write(header);
      socket.write(shape.from);
      socket.uncork();
    });
  }

  /**
   * NBD cannot take a request back; an abandoned one only loses its buffer. One that the kernel fills at
   * this moment loses its connection: whoever has the buffer back may use it for something else.
   */
  #obey(signal: AbortSignal, pending: PendingRequest): void {
    const abandon = (): void => {
      const isFilling = this.#parser.isFilling(pending);
      pending.into = undefined;
      pending.reject(signal.reason);
      if (isFilling)
        this.#fail(nbdErrors.NbdConnectionLost(`A read from ${this.#place} was given up while it was answered.`));
    };
    const { resolve, reject } = pending;
    signal.addEventListener("abort", abandon, { once: true });
    pending.resolve = (request) => {
      signal.removeEventListener("abort", abandon);
      resolve(request);
    };
    pending.reject = (error) => {
      signal.removeEventListener("abort", abandon);
      reject(error);
    };
  }

  #nextCookie(): number {
    do this.#cookie = this.#cookie === largestCookie ? 1 : this.#cookie + 1;
    while (this.#pending.has(this.#cookie));
    return this.#cookie;
  }

  #startWatch(): void {
    if (this.#watch !== undefined) return;
    const check = (): void => {
      this.#watch = undefined;
      if (this.#pending.size === 0 || this.#failure !== undefined) return;
      const quiet = monotonicMilliseconds() - this.#heardAt;
      if (quiet < this.#silence) {
        this.#watch = setTimeout(check, this.#silence - quiet).unref();
        return;
      }
      this.#fail(
        nbdErrors.NbdTimedOut(
          `The NBD server at ${this.#place} has said nothing for ${this.#silence} ms, with ${this.#pending.size} requests open.`,
        ),
      );
    };
    this.#watch = setTimeout(check, this.#silence).unref();
  }

  #fail(error: unknown, destroy = true): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    clearTimeout(this.#watch);
    if (destroy) this.#haggling.socket.destroy();
    for (const request of this.#pending.values()) request.reject(error);
    this.#pending.clear();
  }
}

function isLarge({ command: code, length }: RequestShape): boolean {
  return code === command.read && length >= worthwhile;
}

function encodeHeader(code: number, flags: number, cookie: number, offset: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(28);
  header.writeUInt32BE(requestMagic, 0);
  header.writeUInt16BE(flags, 4);
  header.writeUInt16BE(code, 6);
  header.writeUInt32BE(0, 8);
  header.writeUInt32BE(cookie, 12);
  header.writeUInt32BE(Math.floor(offset / 2 ** 32), 16);
  header.writeUInt32BE(offset >>> 0, 20);
  header.writeUInt32BE(length, 24);
  return header;
}
