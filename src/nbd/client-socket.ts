// The byte stream to an NBD server: unix or TCP, later perhaps lifted to TLS. Without TLS the kernel
// puts bytes where they belong, or into one buffer that is used again and again: a fast read makes no
// garbage and copies nothing.

import { connect as connectPlain, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { describeAddress, type NbdAddress } from "./address.ts";
import { nbdErrors } from "./errors.ts";

export interface NbdClientTls {
  /** PEM of the certificate authorities to trust; the system's when absent. */
  readonly authorities?: string;
  /** PEM of our own certificate and key, for servers that ask for one. */
  readonly certificate?: string;
  readonly key?: string;
  /** The name that the server's certificate must carry; the host when absent. */
  readonly serverName?: string;
}

export interface ClientSocket {
  readonly socket: Socket;
  /** Who gets the bytes; a chunk is valid only during the call. `rooms` is asked where it can be. */
  onBytes(receiver: (chunk: Buffer) => void, rooms?: Rooms): void;
}

/** Where bytes belong that are still to come. */
export interface Rooms {
  /** For the next bytes, and for no bytes after those; undefined when they go to the receiver. */
  next(): Uint8Array | undefined;
  /** So many bytes have come into the room that was named last. */
  filled(room: Uint8Array, length: number): void;
}

const receiveBufferSize = 256 * 1024;

export function openSocket(address: NbdAddress, reuseBuffer: boolean, signal?: AbortSignal): Promise<ClientSocket> {
  let receiver: (chunk: Buffer) => void = () => {};
  let rooms: Rooms | undefined;
  const buffer = Buffer.allocUnsafeSlow(reuseBuffer ? receiveBufferSize : 0);
  const onread = {
    buffer: () => rooms?.next() ?? buffer,
    callback: (length: number, into: Uint8Array): boolean => {
      if (into === buffer) receiver(buffer.subarray(0, length));
      else rooms?.filled(into, length);
      return true;
    },
  };
  const place = "socketPath" in address ? { path: address.socketPath } : { host: address.host, port: address.port };
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const socket = connectPlain(reuseBuffer ? { ...place, onread } : place);
    const abort = (): void => {
      socket.destroy();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    const fail = (cause: Error): void => {
      signal?.removeEventListener("abort", abort);
      reject(nbdErrors.NbdUnreachable(`No NBD server at ${describeAddress(address)}: ${cause.message}.`, { cause }));
    };
    socket.once("error", fail);
    socket.once("connect", () => {
      signal?.removeEventListener("abort", abort);
      socket.off("error", fail);
      socket.setNoDelay(true);
      if (!reuseBuffer) socket.on("data", (chunk: Buffer) => receiver(chunk));
      resolve({
        socket,
        onBytes: (next, nextRooms) => {
          receiver = next;
          rooms = nextRooms;
        },
      });
    });
  });
}

/** Lifts a plain connection, whose server agreed to STARTTLS, to TLS; the server is always verified. */
export function upgradeToTls(plain: Socket, address: NbdAddress, tls: NbdClientTls): Promise<ClientSocket> {
  plain.removeAllListeners("data");
  const host = tls.serverName ?? ("host" in address ? address.host : "localhost");
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: plain,
      host,
      servername: isIP(host) === 0 ? host : undefined,
      ca: tls.authorities,
      cert: tls.certificate,
      key: tls.key,
      minVersion: "TLSv1.2",
    });
    const fail = (cause: Error): void =>
      reject(
        nbdErrors.NbdRefused(`TLS with the NBD server at ${describeAddress(address)} failed: ${cause.message}.`, {
          cause,
        }),
      );
    let receiver: (chunk: Buffer) => void = () => {};
    socket.once("error", fail);
    socket.once("close", () => fail(new Error("the server closed the connection")));
    socket.once("secureConnect", () => {
      socket.off("error", fail);
      socket.on("data", (chunk: Buffer) => receiver(chunk));
      resolve({
        socket,
        onBytes: (next) => {
          receiver = next;
        },
      });
    });
  });
}
