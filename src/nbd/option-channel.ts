// The haggling phase, seen from the client: one option at a time, each answered by any number of
// replies and an end. Every length and every count that the server sends is bounded.

import type { Socket } from "node:net";
import type { ByteReader } from "./byte-reader.ts";
import { nbdErrors } from "./errors.ts";
import { optionError, optionMagic, optionReply, optionReplyMagic } from "./protocol.ts";

export interface OptionAnswer {
  readonly type: number;
  readonly payload: Buffer;
}

export interface OptionResult {
  readonly answers: readonly OptionAnswer[];
  /** The server's refusal; undefined when it agreed. */
  readonly refusal: { readonly type: number; readonly text: string } | undefined;
}

const largestAnswer = 64 * 1024;
const mostAnswers = 10_000;

export async function negotiateOption(
  socket: Socket,
  reader: ByteReader,
  code: number,
  payload: Buffer = Buffer.alloc(0),
): Promise<OptionResult> {
  const header = Buffer.alloc(16);
  header.write(optionMagic, "latin1");
  header.writeUInt32BE(code, 8);
  header.writeUInt32BE(payload.length, 12);
  socket.write(Buffer.concat([header, payload]));
  const answers: OptionAnswer[] = [];
  for (;;) {
    const reply = await reader.take(20);
    const type = reply.readUInt32BE(12);
    const length = reply.readUInt32BE(16);
    if (reply.readBigUInt64BE(0) !== optionReplyMagic || reply.readUInt32BE(8) !== code) {
      throw nbdErrors.NbdProtocolViolation(`The NBD server's answer to option ${code} begins with wrong bytes.`);
    }
    if (length > largestAnswer) {
      throw nbdErrors.NbdProtocolViolation(`The NBD server announced an answer of ${length} bytes to option ${code}.`);
    }
    const body = await reader.take(length);
    if (type >= 0x80000000) return { answers, refusal: { type, text: printable(body) } };
    if (type === optionReply.ack) return { answers, refusal: undefined };
    answers.push({ type, payload: body });
    if (answers.length > mostAnswers) {
      throw nbdErrors.NbdProtocolViolation(`The NBD server gave more than ${mostAnswers} answers to option ${code}.`);
    }
  }
}

const refusalNames: Readonly<Record<number, string>> = {
  [optionError.unsupported]: "it does not know this option",
  [optionError.policy]: "its policy forbids it",
  [optionError.invalid]: "it calls the request invalid",
  [optionError.tlsRequired]: "it demands TLS",
  [optionError.unknownExport]: "it has no such export",
};

export function describeRefusal(refusal: { readonly type: number; readonly text: string }): string {
  const reason = refusalNames[refusal.type] ?? `code 0x${refusal.type.toString(16)}`;
  return refusal.text === "" ? reason : `${reason} ("${refusal.text}")`;
}

/** A server's text in one short line, without control characters. */
export function printable(bytes: Buffer): string {
  return bytes
    .toString("utf8")
    .replaceAll(/\p{C}+/gu, " ")
    .slice(0, 200);
}
