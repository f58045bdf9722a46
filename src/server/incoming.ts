// What the wires need of a request, taken from Node's own message. Hono's Request object, with its
// headers, body and signal, is made only when somebody asks for one of those: most requests do not.

import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";

export interface Incoming {
  readonly method: string;
  /** Path and query exactly as they came, still encoded. */
  readonly target: string;
  readonly host: string;
  readonly clientAddress: string;
  /** Aborted when the client goes away or the service ends. */
  readonly signal: AbortSignal;
  header(name: string): string | undefined;
}

export function incomingOf(context: Context<{ Bindings: HttpBindings }>, ending: AbortSignal): Incoming {
  const { incoming } = context.env;
  let signal: AbortSignal | undefined;
  return {
    method: incoming.method ?? "GET",
    target: incoming.url ?? "/",
    host: incoming.headers.host ?? "localhost",
    clientAddress: incoming.socket.remoteAddress ?? "",
    get signal() {
      return (signal ??= AbortSignal.any([context.req.raw.signal, ending]));
    },
    header: (name) => {
      const value = incoming.headers[name.toLowerCase()];
      return Array.isArray(value) ? value.join(", ") : value;
    },
  };
}
