// Talking with the helper guest: one request at a time, a line there, a length and so many bytes back.
// What the guest says is not trusted: lengths are bounded, and whatever is no answer ends the session.

import type { Socket } from "node:net";
import type { HoldfastError } from "../../lib/errors.ts";
import { fileRecoveryErrors } from "./errors.ts";

export interface HelperPort {
  /** Words of a request; what the guest refuses is thrown as HelperRefusal. */
  ask(words: readonly string[], timeoutMilliseconds: number, signal?: AbortSignal): Promise<Buffer>;
  readonly ended: Promise<void>;
  close(): void;
}

export class HelperRefusal extends Error {
  readonly reason: string;
  constructor(reason: string, explanation: string) {
    super(explanation);
    this.reason = reason;
  }
}

const largestAnswer = 68 * 1024 * 1024;
const longestHead = 100;

interface Waiting {
  resolve(answer: Buffer): void;
  reject(error: unknown): void;
}

export function openHelperPort(socket: Socket): HelperPort {
  let waiting: Waiting | undefined;
  let head = "";
  let answer: { readonly isGood: boolean; readonly reason: string; readonly bytes: Buffer; filled: number } | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  let failure: HoldfastError | undefined;

  const fail = (message: string): void => {
    failure ??= fileRecoveryErrors.FileRecoverySessionFailed(message);
    waiting?.reject(failure);
    waiting = undefined;
    socket.destroy();
  };
  const finish = (): void => {
    if (answer === undefined || answer.filled < answer.bytes.length) return;
    const { isGood, reason, bytes } = answer;
    const asker = waiting;
    answer = undefined;
    waiting = undefined;
    if (isGood) asker?.resolve(bytes);
    else asker?.reject(new HelperRefusal(reason, bytes.toString("utf8")));
  };
  const begin = (line: string): void => {
    const match = /^(?:ok|err ([A-Za-z]{1,40})) (\d{1,9})$/.exec(line);
    const length = Number(match?.[2]);
    if (match === null || length > largestAnswer || waiting === undefined) {
      fail("The helper guest answered something that is no answer.");
      return;
    }
    answer = { isGood: match[1] === undefined, reason: match[1] ?? "", bytes: Buffer.alloc(length), filled: 0 };
    finish();
  };
  socket.on("data", (chunk: Buffer) => {
    for (let at = 0; at < chunk.length && !socket.destroyed;) {
      if (answer !== undefined) {
        const taken = chunk.copy(answer.bytes, answer.filled, at);
        answer.filled += taken;
        at += taken;
        finish();
        continue;
      }
      const end = chunk.indexOf(10, at);
      head += chunk.toString("latin1", at, end < 0 ? chunk.length : end);
      at = end < 0 ? chunk.length : end + 1;
      if (head.length > longestHead) fail("The helper guest answered something that is no answer.");
      else if (end >= 0) {
        const line = head;
        head = "";
        begin(line);
      }
    }
  });
  socket.on("error", () => {}); // "close" follows
  const ended = new Promise<void>((resolve) => {
    socket.once("close", () => {
      fail("The helper guest ended.");
      resolve();
    });
  });

  const ask = async (words: readonly string[], milliseconds: number, signal?: AbortSignal): Promise<Buffer> => {
    signal?.throwIfAborted();
    if (failure !== undefined) throw failure;
    const called = (): void => fail("The request was called off.");
    signal?.addEventListener("abort", called, { once: true });
    const timer = setTimeout(() => fail(`The helper guest did not answer in ${milliseconds} ms.`), milliseconds);
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        waiting = { resolve, reject };
        socket.write(`${words.join(" ")}\n`);
      });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", called);
    }
  };
  return {
    ask: (words, milliseconds, signal) => {
      const asked = turn.then(
        () => ask(words, milliseconds, signal),
        () => ask(words, milliseconds, signal),
      );
      turn = asked.catch(() => {});
      return asked;
    },
    ended,
    close: () => fail("The session was ended."),
  };
}

/** Texts travel in hexadecimal, so no character in a name means anything. */
export function toHex(text: string | Uint8Array): string {
  return Buffer.from(text as string).toString("hex");
}
