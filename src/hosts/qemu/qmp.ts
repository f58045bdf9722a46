// QEMU's machine protocol: commands with ids, answers in any order, events in between. A connection
// that breaks, or says what a monitor does not say, fails everything that waits on it.

import { z } from "zod";
import { HoldfastError, systemCode } from "../../lib/errors.ts";
import { openLineSocket, type LineSocket } from "../../lib/line-socket.ts";
import { hostErrors } from "../errors.ts";

export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface QmpOptions {
  readonly timeoutMilliseconds?: number;
  readonly signal?: AbortSignal;
}

export interface QmpConnection extends Disposable {
  readonly version: { readonly major: number; readonly minor: number };
  command(name: string, args?: Readonly<Record<string, unknown>>, options?: QmpOptions): Promise<unknown>;
  /** Call the returned function to hear no more. */
  onEvent(listener: (event: QmpEvent) => void): () => void;
  /** Settles when the connection is of no more use. */
  readonly ended: Promise<HoldfastError>;
  close(): void;
}

const longestLine = 32 * 1024 * 1024;
const greetingMilliseconds = 3_000;
const defaultTimeout = 30_000;

const greetingSchema = z.object({
  QMP: z.object({ version: z.object({ qemu: z.object({ major: z.number(), minor: z.number() }) }) }),
});
const messageSchema = z.union([
  z.object({ event: z.string().max(200), data: z.record(z.string(), z.unknown()).default({}) }),
  z.object({ id: z.number(), return: z.unknown() }),
  z.object({ id: z.number(), error: z.object({ class: z.string(), desc: z.string() }) }),
]);

export async function connectQmp(path: string, signal?: AbortSignal): Promise<QmpConnection> {
  const connection = new SocketQmp(path);
  try {
    await connection.open(signal);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly name: string;
}

class SocketQmp implements QmpConnection {
  version = { major: 0, minor: 0 };
  readonly ended: Promise<HoldfastError>;
  readonly #path: string;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #socket: LineSocket | undefined;
  #failure: HoldfastError | undefined;
  #lastId = 0;
  #greeting: ((line: Buffer | HoldfastError) => void) | undefined;
  #announceEnd: (error: HoldfastError) => void = () => {};

  constructor(path: string) {
    this.#path = path;
    this.ended = new Promise((resolve) => {
      this.#announceEnd = resolve;
    });
  }

  async open(signal: AbortSignal | undefined): Promise<void> {
    const greeting = this.#awaitGreeting();
    greeting.catch(() => {}); // looked at below, if we come so far
    const listener = { onLine: (line: Buffer) => this.#take(line), onEnd: (cause: Error) => this.#end(cause) };
    try {
      this.#socket = await openLineSocket(this.#path, longestLine, listener, signal);
    } catch (cause) {
      signal?.throwIfAborted();
      // The socket's queue is full: somebody is being served, and others wait already.
      if (systemCode(cause) === "EAGAIN") throw this.#taken();
      throw hostErrors.MonitorUnreachable(`No QEMU monitor can be reached at ${this.#path}.`, { cause });
    }
    const parsed = greetingSchema.safeParse(parseJson(await greeting));
    if (!parsed.success) throw this.#misbehaved("its greeting is not that of a monitor", parsed.error);
    this.version = parsed.data.QMP.version.qemu;
    await this.command("qmp_capabilities", undefined, { signal, timeoutMilliseconds: greetingMilliseconds });
  }

  command(name: string, args?: Readonly<Record<string, unknown>>, options: QmpOptions = {}): Promise<unknown> {
    const { signal, timeoutMilliseconds = defaultTimeout } = options;
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const id = (this.#lastId += 1);
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        this.#waiting.delete(id); // an answer that comes later is dropped
      };
      const abort = (): void => {
        settle();
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        settle();
        reject(
          hostErrors.MonitorUnresponsive(`QEMU at ${this.#path} did not answer ${name} in ${timeoutMilliseconds} ms.`),
        );
      }, timeoutMilliseconds);
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiting.set(id, {
        name,
        resolve: (answer) => {
          settle();
          resolve(answer);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      this.#socket?.send(`${JSON.stringify({ execute: name, arguments: args, id })}\n`);
    });
  }

  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#failWith(hostErrors.MonitorLost(`The monitor ${this.#path} was closed by its owner.`));
    this.#socket?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #awaitGreeting(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#greeting = undefined;
        reject(this.#taken());
      }, greetingMilliseconds);
      this.#greeting = (line) => {
        clearTimeout(timer);
        this.#greeting = undefined;
        if (line instanceof HoldfastError) reject(line);
        else resolve(line);
      };
    });
  }

  #take(line: Buffer): void {
    if (this.#greeting !== undefined) {
      this.#greeting(line);
      return;
    }
    const parsed = messageSchema.safeParse(parseJson(line));
    if (!parsed.success) {
      this.#failWith(this.#misbehaved("it sent what is no message of the protocol", parsed.error));
      this.#socket?.close();
      return;
    }
    const message = parsed.data;
    if ("event" in message) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    if ("return" in message) waiting.resolve(message.return);
    else {
      const { class: kind, desc } = message.error;
      waiting.reject(
        hostErrors.QemuRefused(`QEMU refused ${waiting.name}: ${desc.slice(0, 1000)}.`, {
          facts: { qmpClass: kind, command: waiting.name },
        }),
      );
    }
  }

  #taken(): HoldfastError {
    return hostErrors.MonitorTaken(
      `The monitor ${this.#path} did not greet us in ${greetingMilliseconds} ms; another client seems to hold it.`,
    );
  }

  #misbehaved(how: string, cause: unknown): HoldfastError {
    return hostErrors.MonitorMisbehaved(`What answers at ${this.#path} is no QEMU monitor: ${how}.`, { cause });
  }

  #end(cause: Error): void {
    this.#failWith(
      hostErrors.MonitorLost(`The connection to the monitor ${this.#path} ended: ${cause.message}.`, { cause }),
    );
  }

  #failWith(error: HoldfastError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#greeting?.(error);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#announceEnd(error);
  }
}

function parseJson(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString("utf8"));
  } catch {
    return undefined;
  }
}
