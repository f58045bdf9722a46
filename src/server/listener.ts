// The HTTPS listener: its limits, and its graceful end.

import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { defineErrors, systemCode } from "../lib/errors.ts";

const listenErrors = defineErrors({
  AddressInUse: { status: 500, remedy: "Choose another with --listen HOST:PORT." },
  AddressNotAllowed: {
    status: 500,
    remedy: "Choose a port above 1023 or an address of this machine with --listen HOST:PORT.",
  },
});

export interface Listener {
  readonly port: number;
  /** Takes no more requests and waits for those under way; after `milliseconds` they are cut off. */
  drain(milliseconds: number): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly certificate: string;
  readonly key: string;
}

// A client that sends its head or its body drop by drop is cut off; nobody can hold a thousand sockets.
const headSeconds = 10;
const requestSeconds = 60;
const idleSeconds = 65;
const connectionsAtOnce = 4096;

export async function listen(app: Pick<Hono, "fetch">, options: ListenOptions): Promise<Listener> {
  const server = createAdaptorServer({
    fetch: app.fetch,
    createServer,
    serverOptions: { cert: options.certificate, key: options.key, minVersion: "TLSv1.2", maxHeaderSize: 32_768 },
  }) as Server;
  server.headersTimeout = headSeconds * 1000;
  server.requestTimeout = requestSeconds * 1000;
  server.keepAliveTimeout = idleSeconds * 1000;
  server.maxHeadersCount = 100;
  server.maxConnections = connectionsAtOnce;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(describe(cause, options)));
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    drain: async (milliseconds) => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), milliseconds);
      // A client's idle keep-alive connection becomes idle only after its answer: look again.
      const sweep = setInterval(() => server.closeIdleConnections(), 50);
      await closed;
      clearTimeout(timer);
      clearInterval(sweep);
    },
  };
}

function describe(cause: Error, { host, port }: ListenOptions): Error {
  const code = systemCode(cause);
  if (code === "EADDRINUSE") return listenErrors.AddressInUse(`Something else listens on ${host}:${port}.`, { cause });
  return listenErrors.AddressNotAllowed(`Cannot listen on ${host}:${port}: ${cause.message}.`, { cause });
}
