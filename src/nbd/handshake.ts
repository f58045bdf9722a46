// From a fresh connection to an agreed export: greeting, TLS, structured replies, meta contexts, GO.

import type { Socket } from "node:net";
import { describeAddress, type NbdAddress } from "./address.ts";
import { ByteReader } from "./byte-reader.ts";
import { openSocket, upgradeToTls, type ClientSocket, type NbdClientTls } from "./client-socket.ts";
import { nbdErrors } from "./errors.ts";
import { readExportInfo, type ExportInfo } from "./export-info.ts";
import { describeRefusal, negotiateOption, printable } from "./option-channel.ts";
import { greetingMagic, handshakeFlags, infoType, longestName, option, optionMagic, optionReply } from "./protocol.ts";

export interface Endpoint {
  readonly address: NbdAddress;
  readonly tls?: NbdClientTls;
  readonly handshakeTimeoutMilliseconds?: number;
}

/** A connection in its haggling phase. */
export interface Haggling {
  readonly socket: Socket;
  readonly reader: ByteReader;
  readonly link: ClientSocket;
}

export interface AgreedExport {
  readonly info: ExportInfo;
  readonly structured: boolean;
  /** Names of the meta contexts that the server granted, by the number it gave them. */
  readonly contexts: ReadonlyMap<number, string>;
}

const defaultTimeout = 10_000;

/** Runs `talk` on a fresh connection; a server that stays silent or stalls is given up in time. */
export async function haggle<T>(
  endpoint: Endpoint,
  talk: (haggling: Haggling) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const place = describeAddress(endpoint.address);
  const limit = endpoint.handshakeTimeoutMilliseconds ?? defaultTimeout;
  const late = nbdErrors.NbdTimedOut(`The NBD server at ${place} did not finish the handshake in ${limit} ms.`);
  const guard = new AbortController();
  const timer = setTimeout(() => guard.abort(late), limit);
  const stop = signal === undefined ? guard.signal : AbortSignal.any([guard.signal, signal]);
  let link: ClientSocket | undefined;
  const opened: Socket[] = [];
  const giveUp = (): void => opened.forEach((socket) => socket.destroy(stop.reason));
  stop.addEventListener("abort", giveUp);
  try {
    link = await openSocket(endpoint.address, endpoint.tls === undefined, stop);
    opened.push(link.socket);
    let reader = attach(link, place);
    await greet(link.socket, reader, place);
    if (endpoint.tls !== undefined) {
      await agree(link.socket, reader, option.startTls, "TLS");
      // Bytes before the TLS handshake could be anybody's.
      if (reader.length > 0)
        throw nbdErrors.NbdProtocolViolation(`The NBD server at ${place} sent plain bytes under TLS.`);
      link = await upgradeToTls(link.socket, endpoint.address, endpoint.tls);
      opened.push(link.socket);
      reader = attach(link, place);
    }
    return await talk({ socket: link.socket, reader, link });
  } catch (error) {
    opened.forEach((socket) => socket.destroy());
    stop.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    stop.removeEventListener("abort", giveUp);
  }
}

function attach(link: ClientSocket, place: string): ByteReader {
  const reader = new ByteReader();
  const lost = (cause?: Error): void =>
    reader.fail(nbdErrors.NbdConnectionLost(`The NBD server at ${place} closed the connection.`, { cause }));
  link.onBytes((bytes) => reader.feed(Buffer.from(bytes)));
  link.socket.on("error", lost);
  link.socket.on("end", () => lost());
  link.socket.on("close", () => lost());
  return reader;
}

async function greet(socket: Socket, reader: ByteReader, place: string): Promise<void> {
  const greeting = await reader.take(18);
  if (greeting.toString("latin1", 0, 16) !== greetingMagic + optionMagic) {
    throw nbdErrors.NbdProtocolViolation(`What answers at ${place} is no NBD server of the newstyle.`);
  }
  const flags = greeting.readUInt16BE(16);
  if ((flags & handshakeFlags.fixedNewstyle) === 0) {
    throw nbdErrors.NbdProtocolViolation(`The NBD server at ${place} does not know the fixed newstyle.`);
  }
  const answer = Buffer.alloc(4);
  answer.writeUInt32BE(handshakeFlags.fixedNewstyle | (flags & handshakeFlags.noZeroes));
  socket.write(answer);
}

async function agree(
  socket: Socket,
  reader: ByteReader,
  code: number,
  what: string,
  payload?: Buffer,
): Promise<readonly { readonly type: number; readonly payload: Buffer }[]> {
  const { answers, refusal } = await negotiateOption(socket, reader, code, payload);
  if (refusal !== undefined) throw nbdErrors.NbdRefused(`The NBD server refused ${what}: ${describeRefusal(refusal)}.`);
  return answers;
}

/** Chooses the export and enters the transmission phase. */
export async function enterExport(
  { socket, reader }: Haggling,
  exportName: string,
  wantedContexts: readonly string[],
): Promise<AgreedExport> {
  const structured = (await negotiateOption(socket, reader, option.structuredReply)).refusal === undefined;
  const contexts = new Map<number, string>();
  if (wantedContexts.length > 0 && structured) {
    const query = Buffer.concat([
      encodeName(exportName),
      encodeCount(wantedContexts.length),
      ...wantedContexts.map(encodeName),
    ]);
    for (const { type, payload } of await agree(
      socket,
      reader,
      option.setMetaContext,
      `meta contexts of ${exportName}`,
      query,
    )) {
      if (type !== optionReply.metaContext || payload.length < 4) continue;
      contexts.set(payload.readUInt32BE(0), payload.toString("utf8", 4));
    }
  }
  const answers = await agree(socket, reader, option.go, `the export "${exportName}"`, infoQuery(exportName));
  return { info: readExportInfo(answers), structured, contexts };
}

export interface ListedExport {
  readonly name: string;
  readonly description: string;
  /** Absent when the server tells nothing about the export before it is opened. */
  readonly info: ExportInfo | undefined;
}

/** The exports of a server, each with what it says about itself. */
export function listNbdExports(endpoint: Endpoint, signal?: AbortSignal): Promise<ListedExport[]> {
  return haggle(
    endpoint,
    async ({ socket, reader }) => {
      const listed: ListedExport[] = [];
      for (const { type, payload } of await agree(socket, reader, option.list, "to list its exports")) {
        if (type !== optionReply.server || payload.length < 4) continue;
        const length = payload.readUInt32BE(0);
        if (length > payload.length - 4 || length > longestName) {
          throw nbdErrors.NbdProtocolViolation(`The NBD server listed an export name of ${length} bytes.`);
        }
        const name = payload.toString("utf8", 4, 4 + length);
        const { answers, refusal } = await negotiateOption(socket, reader, option.info, infoQuery(name));
        const description = answers.find(
          (answer) => answer.payload.length >= 2 && answer.payload.readUInt16BE(0) === infoType.description,
        );
        listed.push({
          name,
          description: printable(description?.payload.subarray(2) ?? payload.subarray(4 + length)),
          info: refusal === undefined ? readExportInfo(answers) : undefined,
        });
      }
      await negotiateOption(socket, reader, option.abort);
      socket.destroy();
      return listed;
    },
    signal,
  );
}

function infoQuery(exportName: string): Buffer {
  const wanted = Buffer.alloc(6);
  wanted.writeUInt16BE(2, 0);
  wanted.writeUInt16BE(infoType.blockSize, 2);
  wanted.writeUInt16BE(infoType.description, 4);
  return Buffer.concat([encodeName(exportName), wanted]);
}

function encodeName(name: string): Buffer {
  const bytes = Buffer.from(name, "utf8");
  if (bytes.length > longestName)
    throw nbdErrors.NbdRequestInvalid(
      `The name ${name.slice(0, 40)}… is ${bytes.length} bytes long; NBD allows ${longestName}.`,
    );
  return Buffer.concat([encodeCount(bytes.length), bytes]);
}

function encodeCount(count: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(count);
  return bytes;
}
