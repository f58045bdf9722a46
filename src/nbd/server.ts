// An NBD server: a unix or TCP socket that serves any number of exports to any number of clients.

import { createServer, type Server, type Socket } from "node:net";
import { disk } from "../lib/files.ts";
import { describeAddress, type NbdAddress } from "./address.ts";
import { nbdErrors } from "./errors.ts";
import type { NbdExport } from "./export.ts";
import { longestName } from "./protocol.ts";
import { welcome, type NbdServerTls } from "./server-handshake.ts";
import { serveRequests } from "./server-transmission.ts";

export interface ServeNbdOptions {
  /** A port of 0 picks a free one. A stale socket file at the path is replaced. */
  readonly listen: NbdAddress;
  readonly exports?: readonly NbdExport[];
  /** Clients must use TLS when given. */
  readonly tls?: NbdServerTls;
  readonly handshakeTimeoutMilliseconds?: number;
  readonly maxClients?: number;
}

export interface NbdServer extends AsyncDisposable {
  /** Where it really listens. */
  readonly address: NbdAddress;
  add(disk: NbdExport): void;
  /** Takes the export away and ends the connections to it. */
  remove(name: string): void;
  readonly clientCount: number;
  close(): Promise<void>;
}

export async function serveNbd(options: ServeNbdOptions): Promise<NbdServer> {
  const exports = new Map<string, NbdExport>();
  const clients = new Map<Socket, string | undefined>();
  const directory = {
    list: () => [...exports.values()].filter(({ isListed }) => isListed !== false),
    find: (name: string) => exports.get(name),
  };

  const add = (disk: NbdExport): void => {
    if (exports.has(disk.name)) throw nbdErrors.NbdExportTaken(`The server exports "${disk.name}" already.`);
    if (Buffer.byteLength(disk.name) > longestName) {
      throw nbdErrors.NbdRequestInvalid(
        `The export name "${disk.name.slice(0, 40)}…" is longer than ${longestName} bytes.`,
      );
    }
    exports.set(disk.name, disk);
  };
  for (const disk of options.exports ?? []) add(disk);

  const attend = async (plain: Socket): Promise<void> => {
    const gone = new AbortController();
    plain.on("error", () => {}); // a client that vanishes is no failure of ours; "close" follows
    plain.on("close", () => {
      clients.delete(plain);
      gone.abort();
    });
    clients.set(plain, undefined);
    plain.setNoDelay(true);
    const timer = setTimeout(() => plain.destroy(), options.handshakeTimeoutMilliseconds ?? 10_000);
    try {
      const client = await welcome(plain, directory, options.tls);
      clearTimeout(timer);
      if (client === undefined) return;
      clients.set(plain, client.export.name);
      client.socket.on("error", () => {});
      await serveRequests(client, gone.signal);
      await new Promise<void>((resolve) => client.socket.end(resolve));
    } finally {
      clearTimeout(timer);
    }
  };

  const server = createServer({ noDelay: true }, (socket) => {
    // What goes wrong with one client ends that client; NBD has no way to say more.
    attend(socket)
      .catch(() => {})
      .finally(() => socket.destroySoon());
  });
  server.maxConnections = options.maxClients ?? 64;
  await listen(server, options.listen);

  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of clients.keys()) socket.destroy();
    await closed;
  };
  return {
    address: listeningAddress(server, options.listen),
    add,
    remove: (name) => {
      exports.delete(name);
      for (const [socket, used] of clients) if (used === name) socket.destroy();
    },
    get clientCount() {
      return clients.size;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function listen(server: Server, address: NbdAddress): Promise<void> {
  if ("socketPath" in address && (await disk.linkStatus(address.socketPath))?.isSocket === true) {
    await disk.remove(address.socketPath);
  }
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        nbdErrors.NbdUnreachable(`Cannot listen at ${describeAddress(address)}: ${cause.message}.`, {
          cause,
          remedy: "Choose a free port or a folder that may be written.",
        }),
      ),
    );
    server.listen(
      "socketPath" in address ? { path: address.socketPath } : { host: address.host, port: address.port },
      resolve,
    );
  });
}

function listeningAddress(server: Server, asked: NbdAddress): NbdAddress {
  const bound = server.address();
  return "host" in asked && bound !== null && typeof bound === "object"
    ? { host: asked.host, port: bound.port }
    : asked;
}
