// The guest agent's protocol: one JSON object a line, no request ids, hence strictly one command at
// a time. When an answer is late it may still come, as the answer to the next question; so after a
// time-out the connection is synchronised anew before anything else is said.

import { z } from "zod";
import { HoldfastError } from "../lib/errors.ts";
import { openLineSocket, type LineSocket } from "../lib/line-socket.ts";
import { randomBelow } from "../lib/random.ts";
import { agentErrors } from "./errors.ts";

/** Whatever carries single commands to a guest agent. */
export interface AgentChannel {
  command(name: string, args?: Readonly<Record<string, unknown>>, options?: CommandOptions): Promise<unknown>;
}

export interface CommandOptions {
  readonly timeoutMilliseconds?: number;
  readonly signal?: AbortSignal;
}

export interface GuestAgent extends AgentChannel, Disposable {
  close(): void;
}

export interface AgentOptions {
  /** How long the agent may take to answer the first synchronisation. */
  readonly syncMilliseconds?: number;
}

const longestLine = 8 * 1024 * 1024;
/** A guest that sends more than this while nobody asked is cut off. */
const mostUnaskedBytes = 64 * 1024 * 1024;
/** Doubled with each attempt: a busy guest answers, only later than that, and answers what was asked last. */
const firstSyncMilliseconds = 500;
const defaultSync = 10_000;
const defaultTimeout = 10_000;

const replySchema = z.union([
  z.object({ return: z.unknown() }),
  z.object({ error: z.object({ class: z.string().max(200), desc: z.string().max(10_000) }) }),
]);
type Reply = { readonly return: unknown } | { readonly error: { readonly class: string; readonly desc: string } };

/** Connects and synchronises; fails within `syncMilliseconds` when no agent answers. */
export async function connectAgent(
  socketPath: string,
  options: AgentOptions = {},
  signal?: AbortSignal,
): Promise<GuestAgent> {
  const agent = new SocketAgent(socketPath, options.syncMilliseconds ?? defaultSync);
  try {
    await agent.open(signal);
    return agent;
  } catch (error) {
    agent.close();
    throw error;
  }
}

class SocketAgent implements GuestAgent {
  readonly #path: string;
  readonly #syncMilliseconds: number;
  #socket: LineSocket | undefined;
  #isSynchronised = false;
  #failure: HoldfastError | undefined;
  #waiting: ((line: Buffer | HoldfastError) => void) | undefined;
  #unaskedBytes = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(path: string, syncMilliseconds: number) {
    this.#path = path;
    this.#syncMilliseconds = syncMilliseconds;
  }

  async open(signal: AbortSignal | undefined): Promise<void> {
    try {
      const listener = { onLine: (line: Buffer) => this.#take(line), onEnd: (cause: Error) => this.#end(cause) };
      this.#socket = await openLineSocket(this.#path, longestLine, listener, signal);
    } catch (cause) {
      signal?.throwIfAborted();
      throw agentErrors.AgentUnreachable(`No guest agent can be reached at ${this.#path}.`, { cause });
    }
    await this.#synchronise(signal);
  }

  command(name: string, args?: Readonly<Record<string, unknown>>, options: CommandOptions = {}): Promise<unknown> {
    const run = (): Promise<unknown> => this.#exchange(name, args, options);
    const turn = this.#turn.then(run, run);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  close(): void {
    this.#failure ??= agentErrors.AgentUnreachable(`The connection to ${this.#path} was closed by its owner.`);
    this.#socket?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #exchange(
    name: string,
    args: Readonly<Record<string, unknown>> | undefined,
    options: CommandOptions,
  ): Promise<unknown> {
    const { signal, timeoutMilliseconds = defaultTimeout } = options;
    signal?.throwIfAborted();
    if (!this.#isSynchronised) await this.#synchronise(signal);
    this.#isSynchronised = false;
    this.#send(`${JSON.stringify({ execute: name, arguments: args })}\n`);
    const line = await this.#nextLine(timeoutMilliseconds, `answer ${name}`, signal);
    const reply = parseReply(line, name);
    this.#isSynchronised = true;
    if ("return" in reply) return reply.return;
    const { class: kind, desc } = reply.error;
    const facts = { agentClass: kind, command: name };
    if (kind === "CommandNotFound") {
      throw agentErrors.AgentCommandUnavailable(`The guest agent does not do ${name}: ${desc}.`, { facts });
    }
    throw agentErrors.AgentCommandFailed(`The guest agent failed ${name}: ${desc}.`, { facts });
  }

  /** A lone 0xFF makes the agent drop what it was reading; its answer begins with one, too. */
  async #synchronise(signal: AbortSignal | undefined): Promise<void> {
    const deadline = AbortSignal.timeout(this.#syncMilliseconds);
    const stop = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
    this.#unaskedBytes = 0;
    for (let patience = firstSyncMilliseconds; !stop.aborted; patience *= 2) {
      const id = 1 + randomBelow(2 ** 31 - 1);
      const question = JSON.stringify({ execute: "guest-sync-delimited", arguments: { id } });
      this.#send(Buffer.concat([Buffer.from([0xff]), Buffer.from(`${question}\n`)]));
      const attempt = AbortSignal.any([stop, AbortSignal.timeout(patience)]);
      try {
        await this.#nextLine(patience, "synchronise", attempt, (line) => this.#isAnswer(line, id));
        this.#isSynchronised = true;
        return;
      } catch (error) {
        if (this.#failure !== undefined) throw error;
      }
    }
    signal?.throwIfAborted();
    throw agentErrors.AgentUnresponsive(
      `The guest agent at ${this.#path} did not answer in ${this.#syncMilliseconds} ms.`,
    );
  }

  #isAnswer(line: Buffer, id: number): boolean {
    const marker = line.lastIndexOf(0xff);
    if (marker < 0) return false;
    try {
      const reply: unknown = JSON.parse(line.toString("utf8", marker + 1));
      return typeof reply === "object" && reply !== null && "return" in reply && reply.return === id;
    } catch {
      return false;
    }
  }

  #send(bytes: Buffer | string): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#socket?.send(bytes);
  }

  #nextLine(
    timeoutMilliseconds: number,
    what: string,
    signal: AbortSignal | undefined,
    isWanted: (line: Buffer) => boolean = () => true,
  ): Promise<Buffer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        this.#waiting = undefined;
      };
      const abort = (): void => {
        settle();
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        settle();
        reject(
          agentErrors.AgentUnresponsive(
            `The guest agent at ${this.#path} did not ${what} in ${timeoutMilliseconds} ms.`,
          ),
        );
      }, timeoutMilliseconds);
      this.#waiting = (line) => {
        if (!(line instanceof HoldfastError) && !isWanted(line)) {
          this.#count(line.length);
          return;
        }
        settle();
        if (line instanceof HoldfastError) reject(line);
        else resolve(line);
      };
      if (signal?.aborted === true) abort();
      else signal?.addEventListener("abort", abort, { once: true });
    });
  }

  #take(line: Buffer): void {
    if (this.#waiting !== undefined) {
      this.#waiting(line);
      return;
    }
    this.#isSynchronised = false;
    this.#count(line.length);
  }

  #count(bytes: number): void {
    this.#unaskedBytes += bytes;
    if (this.#unaskedBytes > mostUnaskedBytes) this.#socket?.close();
  }

  #end(cause: Error): void {
    this.#failure ??= cause.message.startsWith("the other side")
      ? agentErrors.AgentUnreachable(`The guest agent's socket ${this.#path} was closed by QEMU.`, { cause })
      : agentErrors.AgentMisbehaved(`The guest agent at ${this.#path} was cut off: ${cause.message}.`, { cause });
    this.#waiting?.(this.#failure);
  }
}

function parseReply(line: Buffer, name: string): Reply {
  try {
    // What lies before the marker was cut off by a synchronisation.
    const parsed = replySchema.parse(JSON.parse(line.toString("utf8", line.lastIndexOf(0xff) + 1)));
    return parsed;
  } catch (cause) {
    throw agentErrors.AgentMisbehaved(`The guest agent's answer to ${name} is not what an agent says.`, { cause });
  }
}
