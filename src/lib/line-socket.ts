// A unix socket that speaks in lines, as QEMU's monitor and guest agent do. A peer that sends more
// than a line may be, without an end of line, is cut off: nothing that it sends can fill our memory.

import { connect, type Socket } from "node:net";

export interface LineSocket {
  send(bytes: Uint8Array | string): void;
  close(): void;
}

export interface LineListener {
  onLine(line: Buffer): void;
  /** Once, when no more lines come: the peer hung up, sent too long a line, or we closed. */
  onEnd(error: Error): void;
}

export function openLineSocket(
  path: string,
  maxLineBytes: number,
  listener: LineListener,
  signal?: AbortSignal,
): Promise<LineSocket> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const socket = connect(path);
    const abort = (): void => {
      socket.destroy();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      signal?.removeEventListener("abort", abort);
      socket.off("error", reject);
      resolve(listen(socket, maxLineBytes, listener));
    });
  });
}

function listen(socket: Socket, maxLineBytes: number, listener: LineListener): LineSocket {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let hasEnded = false;
  const end = (error: Error): void => {
    if (hasEnded) return;
    hasEnded = true;
    held = [];
    socket.destroy();
    listener.onEnd(error);
  };
  socket.on("data", (chunk: Buffer) => {
    let from = 0;
    for (;;) {
      if (hasEnded) return;
      const newline = chunk.indexOf(10, from);
      const piece = chunk.subarray(from, newline < 0 ? undefined : newline);
      heldBytes += piece.length;
      if (heldBytes > maxLineBytes) {
        end(new Error(`a line is longer than ${maxLineBytes} bytes`));
        return;
      }
      held.push(piece);
      if (newline < 0) return;
      const line = held.length === 1 ? piece : Buffer.concat(held);
      held = [];
      heldBytes = 0;
      from = newline + 1;
      if (line.length > 0) listener.onLine(line);
    }
  });
  socket.on("error", end);
  socket.on("close", () => end(new Error("the other side closed the connection")));
  return {
    send: (bytes) => {
      socket.write(bytes);
    },
    close: () => end(new Error("closed by its owner")),
  };
}
