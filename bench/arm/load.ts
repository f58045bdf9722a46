// A load of HTTPS requests over a fixed number of connections, one request at a time on each. It
// writes and reads raw bytes, so that the client costs little beside the server on the same cores.

import { connect, type TLSSocket } from "node:tls";

export interface Load {
  readonly port: number;
  readonly authority: Buffer;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly failures: number;
}

export async function runLoad(load: Load): Promise<LoadResult> {
  const latencies: number[] = [];
  let failures = 0;
  const sockets = await Promise.all(Array.from({ length: load.connections }, () => open(load)));
  const startedAt = performance.now();
  const end = startedAt + load.seconds * 1000;
  const request = requestBytes(load);
  await Promise.all(
    sockets.map(async (socket) => {
      while (performance.now() < end) {
        const sentAt = performance.now();
        const status = await exchange(socket, request);
        latencies.push(performance.now() - sentAt);
        if (status !== 200) failures += 1;
      }
      socket.destroy();
    }),
  );
  const elapsed = (performance.now() - startedAt) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return {
    requests: latencies.length,
    perSecond: latencies.length / elapsed,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    failures,
  };
}

function requestBytes({ path, headers, port }: Load): Buffer {
  const lines = Object.entries({ Host: `localhost:${port}`, Connection: "keep-alive", ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return Buffer.from(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
}

function open({ port, authority }: Load): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", servername: "localhost", ca: authority });
    socket.setNoDelay(true);
    socket.once("secureConnect", () => resolve(socket));
    socket.once("error", reject);
  });
}

/** Sends one request and reads its whole answer (with a length or in chunks); returns its status. */
function exchange(socket: TLSSocket, request: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = "";
    const take = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      const bodyAt = text.indexOf("\r\n\r\n") + 4;
      if (bodyAt < 4) return;
      const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, bodyAt))?.[1];
      const isWhole =
        length === undefined
          ? text.endsWith("\r\n0\r\n\r\n") || text.endsWith("0\r\n\r\n")
          : text.length >= bodyAt + Number(length);
      if (!isWhole) return;
      socket.off("data", take);
      socket.off("close", fail);
      resolve(Number(text.slice(9, 12)));
    };
    const fail = (): void => reject(new Error("the connection was closed"));
    socket.on("data", take);
    socket.once("close", fail);
    socket.write(request);
  });
}
