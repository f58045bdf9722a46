// Calls between two threads, in both directions over one port: each side offers some and uses the
// other's. A call that is aborted here is aborted there; a failure keeps its code and status.

import { HoldfastError } from "../../lib/errors.ts";

export interface Port {
  postMessage(message: unknown): void;
  on(event: "message", listener: (message: Message) => void): unknown;
}

/** By name: one input that can be cloned, one result that can be cloned. */
export type Offers = Readonly<Record<string, (input: never, signal: AbortSignal) => Promise<unknown>>>;

export interface Calls<Theirs extends Offers> {
  call<Name extends keyof Theirs & string>(
    name: Name,
    input: Parameters<Theirs[Name]>[0],
    signal?: AbortSignal,
  ): ReturnType<Theirs[Name]>;
  /** Fails every call that is still open. */
  end(reason: Error): void;
}

interface PlainFailure {
  readonly message: string;
  readonly known?: Pick<HoldfastError, "code" | "status" | "remedy" | "target" | "facts">;
}

type Message =
  | { readonly kind: "call"; readonly id: number; readonly name: string; readonly input: unknown }
  | { readonly kind: "abort"; readonly id: number }
  | { readonly kind: "result"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failure"; readonly id: number; readonly failure: PlainFailure };

interface Open {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export function connectCalls<Theirs extends Offers>(port: Port, mine: Offers): Calls<Theirs> {
  const open = new Map<number, Open>();
  const working = new Map<number, AbortController>();
  let lastId = 0;
  let ended: Error | undefined;
  const post = (message: Message): void => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    port.postMessage(message);
  };

  const work = async (id: number, name: string, input: unknown): Promise<void> => {
    const controller = new AbortController();
    working.set(id, controller);
    try {
      const offer = mine[name];
      if (offer === undefined) throw new Error(`nobody offers the call ${name}`);
      post({ kind: "result", id, value: await offer(input as never, controller.signal) });
    } catch (error) {
      post({ kind: "failure", id, failure: plain(error) });
    } finally {
      working.delete(id);
    }
  };

  const settle = (id: number, how: (waiting: Open) => void): void => {
    const waiting = open.get(id);
    open.delete(id);
    if (waiting !== undefined) how(waiting);
  };

  port.on("message", (message) => {
    if (message.kind === "call") void work(message.id, message.name, message.input);
    else if (message.kind === "abort") working.get(message.id)?.abort();
    else if (message.kind === "result") settle(message.id, ({ resolve }) => resolve(message.value));
    else settle(message.id, ({ reject }) => reject(restored(message.failure)));
  });

  return {
    call: ((name: string, input: unknown, signal?: AbortSignal): Promise<unknown> => {
      if (ended !== undefined) return Promise.reject(ended);
      lastId += 1;
      const id = lastId;
      const abort = (): void => post({ kind: "abort", id });
      return new Promise((resolve, reject) => {
        open.set(id, { resolve, reject });
        post({ kind: "call", id, name, input });
        if (signal?.aborted === true) abort();
        signal?.addEventListener("abort", abort, { once: true });
      }).finally(() => signal?.removeEventListener("abort", abort));
    }) as Calls<Theirs>["call"],
    end: (reason) => {
      ended = reason;
      for (const { reject } of open.values()) reject(reason);
      open.clear();
    },
  };
}

function plain(error: unknown): PlainFailure {
  if (!(error instanceof HoldfastError)) {
    return { message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  const { code, status, remedy, target, facts, message } = error;
  return { message, known: { code, status, remedy, target, facts } };
}

function restored({ message, known }: PlainFailure): Error {
  if (known === undefined) return new Error(message);
  const { code, status, remedy, target, facts } = known;
  return new HoldfastError(code, { status, ...(remedy === undefined ? {} : { remedy }) }, message, {
    facts,
    ...(target === undefined ? {} : { target }),
  });
}
