// The haggling phase, seen from the server, until the client has chosen an export or gone.

import type { Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { ByteReader } from "./byte-reader.ts";
import { nbdErrors } from "./errors.ts";
import type { NbdExport } from "./export.ts";
import {
  baseAllocation,
  defaultMaximumPayload,
  greetingMagic,
  handshakeFlags,
  infoType,
  longestName,
  option,
  optionError,
  optionMagic,
  optionReply,
  optionReplyMagic,
  transmissionFlags,
} from "./protocol.ts";

export interface NbdServerTls {
  /** PEM of the server's certificate and key. */
  readonly certificate: string;
  readonly key: string;
  /** PEM of the authorities of which a client's certificate must come; no certificate is asked for when absent. */
  readonly clientAuthorities?: string;
}

export interface ExportDirectory {
  list(): Iterable<NbdExport>;
  find(name: string): NbdExport | undefined;
}

export interface ServedClient {
  readonly socket: Socket;
  readonly reader: ByteReader;
  readonly export: NbdExport;
  readonly structured: boolean;
  readonly tellsAllocation: boolean;
}

/** The number under which `base:allocation` goes over the wire. */
export const allocationContextNumber = 1;

const largestOption = 64 * 1024;
const mostOptions = 20_000;
const endsTalk = Symbol("endsTalk");

/** Undefined when the client left without choosing. */
export async function welcome(
  plain: Socket,
  directory: ExportDirectory,
  tls: NbdServerTls | undefined,
): Promise<ServedClient | undefined> {
  const talk = new Talk(plain, directory, tls);
  return talk.run();
}

class Talk {
  #socket: Socket;
  #reader: ByteReader;
  readonly #directory: ExportDirectory;
  readonly #tls: NbdServerTls | undefined;
  #isSecure = false;
  #structured = false;
  /** The export whose allocation the client asked to be told. */
  #allocationOf: string | undefined;
  #omitsZeroes = false;

  constructor(plain: Socket, directory: ExportDirectory, tls: NbdServerTls | undefined) {
    this.#socket = plain;
    this.#reader = attachReader(plain);
    this.#directory = directory;
    this.#tls = tls;
  }

  async run(): Promise<ServedClient | undefined> {
    const greeting = Buffer.alloc(18);
    greeting.write(greetingMagic + optionMagic, "latin1");
    greeting.writeUInt16BE(handshakeFlags.fixedNewstyle | handshakeFlags.noZeroes, 16);
    this.#socket.write(greeting);
    const clientFlags = (await this.#reader.take(4)).readUInt32BE(0);
    if ((clientFlags & handshakeFlags.fixedNewstyle) === 0) return undefined;
    this.#omitsZeroes = (clientFlags & handshakeFlags.noZeroes) !== 0;
    for (let count = 0; count < mostOptions; count += 1) {
      const header = await this.#reader.take(16);
      const code = header.readUInt32BE(8);
      const length = header.readUInt32BE(12);
      if (header.toString("latin1", 0, 8) !== optionMagic || length > largestOption) return undefined;
      const outcome = await this.#answer(code, await this.#reader.take(length));
      if (outcome === endsTalk) return undefined;
      if (outcome !== undefined) return outcome;
    }
    return undefined;
  }

  async #answer(code: number, payload: Buffer): Promise<ServedClient | typeof endsTalk | undefined> {
    const isBarred = this.#tls !== undefined && !this.#isSecure && code !== option.startTls && code !== option.abort;
    if (isBarred && code === option.exportName) return endsTalk;
    if (isBarred) return this.#reply(code, optionError.tlsRequired);
    switch (code) {
      case option.abort:
        this.#reply(code, optionReply.ack);
        return endsTalk;
      case option.startTls:
        return this.#startTls(code);
      case option.structuredReply:
        this.#structured = true;
        return this.#reply(code, optionReply.ack);
      case option.list:
        for (const { name } of this.#directory.list()) this.#reply(code, optionReply.server, encodeName(name));
        return this.#reply(code, optionReply.ack);
      case option.listMetaContext:
      case option.setMetaContext:
        return this.#answerContexts(code, payload);
      case option.info:
      case option.go:
        return this.#answerInfo(code, payload);
      case option.exportName:
        return this.#enterOldWay(payload) ?? endsTalk;
      default:
        return this.#reply(code, optionError.unsupported);
    }
  }

  async #startTls(code: number): Promise<undefined> {
    if (this.#tls === undefined || this.#isSecure) return this.#reply(code, optionError.policy);
    if (this.#reader.length > 0) throw nbdErrors.NbdProtocolViolation("The NBD client sent plain bytes under TLS.");
    this.#reply(code, optionReply.ack);
    this.#socket = await secure(this.#socket, this.#tls);
    this.#reader = attachReader(this.#socket);
    this.#isSecure = true;
    // What was agreed in the open does not count.
    this.#structured = false;
    this.#allocationOf = undefined;
    return undefined;
  }

  #answerContexts(code: number, payload: Buffer): undefined {
    const query = readContextQuery(payload);
    if (query === undefined || !this.#structured) return this.#reply(code, optionError.invalid);
    const found = this.#directory.find(query.exportName);
    if (found === undefined) return this.#reply(code, optionError.unknownExport);
    const isList = code === option.listMetaContext;
    const isWanted = query.names.some((name) => name === baseAllocation || (isList && name === "base:"));
    const tells = found.extents !== undefined && (isWanted || (isList && query.names.length === 0));
    if (tells) {
      const number = Buffer.alloc(4);
      number.writeUInt32BE(isList ? 0 : allocationContextNumber);
      this.#reply(code, optionReply.metaContext, Buffer.concat([number, Buffer.from(baseAllocation)]));
    }
    if (!isList) this.#allocationOf = tells ? query.exportName : undefined;
    return this.#reply(code, optionReply.ack);
  }

  #answerInfo(code: number, payload: Buffer): ServedClient | undefined {
    const name = readName(payload, 0);
    if (name === undefined) return this.#reply(code, optionError.invalid);
    const found = this.#directory.find(name.text);
    if (found === undefined) return this.#reply(code, optionError.unknownExport);
    const size = Buffer.alloc(12);
    size.writeUInt16BE(infoType.export, 0);
    size.writeBigUInt64BE(BigInt(found.size), 2);
    size.writeUInt16BE(flagsOf(found), 10);
    this.#reply(code, optionReply.info, size);
    const blocks = Buffer.alloc(14);
    blocks.writeUInt16BE(infoType.blockSize, 0);
    blocks.writeUInt32BE(1, 2);
    blocks.writeUInt32BE(found.preferredBlock ?? 65536, 6);
    blocks.writeUInt32BE(defaultMaximumPayload, 10);
    this.#reply(code, optionReply.info, blocks);
    if (found.description !== undefined) {
      const text = Buffer.from(`  ${found.description}`);
      text.writeUInt16BE(infoType.description, 0);
      this.#reply(code, optionReply.info, text);
    }
    this.#reply(code, optionReply.ack);
    return code === option.go ? this.#serve(found, name.text) : undefined;
  }

  #enterOldWay(payload: Buffer): ServedClient | undefined {
    const name = payload.toString("utf8");
    const found = this.#directory.find(name);
    if (found === undefined) return undefined;
    const answer = Buffer.alloc(this.#omitsZeroes ? 10 : 134);
    answer.writeBigUInt64BE(BigInt(found.size), 0);
    answer.writeUInt16BE(flagsOf(found), 8);
    this.#socket.write(answer);
    return this.#serve(found, name);
  }

  #serve(found: NbdExport, name: string): ServedClient {
    return {
      socket: this.#socket,
      reader: this.#reader,
      export: found,
      structured: this.#structured,
      tellsAllocation: this.#allocationOf === name,
    };
  }

  #reply(code: number, type: number, payload: Buffer = Buffer.alloc(0)): undefined {
    const header = Buffer.alloc(20);
    header.writeBigUInt64BE(optionReplyMagic, 0);
    header.writeUInt32BE(code, 8);
    header.writeUInt32BE(type, 12);
    header.writeUInt32BE(payload.length, 16);
    this.#socket.write(Buffer.concat([header, payload]));
  }
}

function attachReader(socket: Socket): ByteReader {
  const reader = new ByteReader(socket);
  const lost = (cause?: Error): void =>
    reader.fail(nbdErrors.NbdConnectionLost("The NBD client closed the connection.", { cause }));
  socket.on("data", (bytes: Buffer) => reader.feed(bytes));
  socket.on("error", lost);
  socket.on("end", () => lost());
  socket.on("close", () => lost());
  return reader;
}

function secure(plain: Socket, tls: NbdServerTls): Promise<Socket> {
  plain.removeAllListeners("data");
  const server = createTlsServer({
    cert: tls.certificate,
    key: tls.key,
    ca: tls.clientAuthorities,
    requestCert: tls.clientAuthorities !== undefined,
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
  });
  return new Promise((resolve, reject) => {
    const fail = (cause?: Error): void => reject(nbdErrors.NbdRefused("TLS with an NBD client failed.", { cause }));
    server.once("secureConnection", resolve);
    server.once("tlsClientError", fail);
    plain.once("close", () => fail());
    server.emit("connection", plain);
  });
}

function flagsOf({ readOnly, write, writeZeroes, trim, flush, multiConnection }: NbdExport): number {
  let flags = transmissionFlags.hasFlags | transmissionFlags.dontFragment;
  if (readOnly || write === undefined) return flags | transmissionFlags.readOnly | transmissionFlags.multiConnection;
  if (flush !== undefined) flags |= transmissionFlags.flush | transmissionFlags.fua;
  if (trim !== undefined) flags |= transmissionFlags.trim;
  if (writeZeroes !== undefined) flags |= transmissionFlags.writeZeroes;
  if (multiConnection === true) flags |= transmissionFlags.multiConnection;
  return flags;
}

function readName(payload: Buffer, at: number): { readonly text: string; readonly end: number } | undefined {
  if (payload.length < at + 4) return undefined;
  const length = payload.readUInt32BE(at);
  const end = at + 4 + length;
  return length > longestName || end > payload.length
    ? undefined
    : { text: payload.toString("utf8", at + 4, end), end };
}

function readContextQuery(payload: Buffer): { readonly exportName: string; readonly names: string[] } | undefined {
  const exportName = readName(payload, 0);
  if (exportName === undefined || payload.length < exportName.end + 4) return undefined;
  const names: string[] = [];
  let at = exportName.end + 4;
  for (let left = payload.readUInt32BE(exportName.end); left > 0; left -= 1) {
    const name = readName(payload, at);
    if (name === undefined) return undefined;
    names.push(name.text);
    at = name.end;
  }
  return { exportName: exportName.text, names };
}

function encodeName(name: string): Buffer {
  const bytes = Buffer.from(name, "utf8");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
