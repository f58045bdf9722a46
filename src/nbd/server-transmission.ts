// Serves one client of one export: many requests at once, as much memory as the gate lets through.

import { systemCode } from "../lib/errors.ts";
import { nbdErrors } from "./errors.ts";
import type { NbdExport } from "./export.ts";
import { mergeExtents, type BlockExtent } from "./extents.ts";
import { Gate } from "./gate.ts";
import {
  allocationFlags,
  command,
  commandFlags,
  defaultMaximumPayload,
  errorNumbers,
  requestMagic,
} from "./protocol.ts";
import { allocationContextNumber, type ServedClient } from "./server-handshake.ts";
import { ReplyWriter } from "./server-replies.ts";

interface Request {
  readonly code: number;
  readonly flags: number;
  readonly cookie: Buffer;
  readonly offset: number;
  readonly length: number;
  readonly payload: Buffer | undefined;
}

const memoryPerClient = 64 * 1024 * 1024;
const readPiece = 1024 * 1024;
/** Also of requests that carry nothing, so that no client has endless many open. */
const smallestWeight = 512 * 1024;
const mostExtents = 65_536;

export async function serveRequests(client: ServedClient, signal: AbortSignal): Promise<void> {
  const { socket, reader, structured } = client;
  const replies = new ReplyWriter(socket, structured);
  const gate = new Gate(memoryPerClient);
  const running = new Set<Promise<void>>();
  try {
    for (;;) {
      const header = await reader.take(28);
      if (header.readUInt32BE(0) !== requestMagic) {
        throw nbdErrors.NbdProtocolViolation("The NBD client sent a request that begins with wrong bytes.");
      }
      const code = header.readUInt16BE(6);
      const length = header.readUInt32BE(24);
      if (code === command.disconnect) break;
      if (code === command.write && length > defaultMaximumPayload) {
        throw nbdErrors.NbdProtocolViolation(`The NBD client sent a write of ${length} bytes.`);
      }
      const weight = weigh(code, length, structured);
      await gate.enter(weight);
      const request: Request = {
        code,
        flags: header.readUInt16BE(4),
        cookie: Buffer.from(header.subarray(8, 16)),
        offset: Number(header.readBigUInt64BE(16)),
        length,
        payload: code === command.write ? await reader.take(length) : undefined,
      };
      const work = answer(client, replies, request, signal)
        .catch(() => void socket.destroy()) // the reply itself could not be sent
        .finally(() => {
          running.delete(work);
          gate.leave(weight);
        });
      running.add(work);
    }
  } finally {
    await Promise.allSettled(running);
  }
}

function weigh(code: number, length: number, structured: boolean): number {
  const carries = code === command.write || (code === command.read && !structured);
  return Math.max(smallestWeight, carries ? Math.min(length, defaultMaximumPayload) : readPiece);
}

async function answer(
  client: ServedClient,
  replies: ReplyWriter,
  request: Request,
  signal: AbortSignal,
): Promise<void> {
  try {
    if (request.code === command.read) await answerRead(client, replies, request, signal);
    else if (request.code === command.blockStatus) await answerStatus(client, replies, request, signal);
    else {
      await change(client.export, request, signal);
      await replies.done(request.cookie);
    }
  } catch (error) {
    if (client.socket.destroyed) return;
    await replies.failed(request.cookie, toErrorNumber(error));
  }
}

async function answerRead(
  client: ServedClient,
  replies: ReplyWriter,
  request: Request,
  signal: AbortSignal,
): Promise<void> {
  const { cookie, offset, length, flags } = request;
  checkRange(client.export, request, defaultMaximumPayload);
  if (length === 0)
    return client.structured ? replies.done(cookie) : replies.data(cookie, offset, new Uint8Array(0), true);
  const isWhole = !client.structured || (flags & commandFlags.dontFragment) !== 0;
  if (isWhole) {
    const bytes = Buffer.allocUnsafeSlow(length);
    await client.export.read(bytes, offset, signal);
    return replies.data(cookie, offset, bytes, true);
  }
  const end = offset + length;
  let buffer: Buffer | undefined;
  for await (const extent of stretches(client.export, offset, length, signal)) {
    if ((extent.flags & allocationFlags.zero) !== 0) {
      await replies.hole(cookie, extent.offset, extent.length, extent.offset + extent.length === end);
      continue;
    }
    for (let at = 0; at < extent.length; at += readPiece) {
      const piece = Math.min(readPiece, extent.length - at);
      buffer ??= Buffer.allocUnsafeSlow(Math.min(length, readPiece));
      const bytes = buffer.subarray(0, piece);
      await client.export.read(bytes, extent.offset + at, signal);
      await replies.data(cookie, extent.offset + at, bytes, extent.offset + at + piece === end);
    }
  }
}

async function answerStatus(
  client: ServedClient,
  replies: ReplyWriter,
  request: Request,
  signal: AbortSignal,
): Promise<void> {
  if (!client.tellsAllocation || request.length === 0) throw refusal("EINVAL");
  checkRange(client.export, request, 0xffffffff);
  const isOne = (request.flags & commandFlags.oneExtent) !== 0;
  const found: BlockExtent[] = [];
  for await (const extent of stretches(client.export, request.offset, request.length, signal)) {
    found.push(extent);
    if (isOne || found.length === mostExtents) break;
  }
  await replies.blockStatus(request.cookie, allocationContextNumber, found);
}

/** The range as extents without gaps, merged, cut to the range: exports need not be so tidy. */
function stretches(disk: NbdExport, offset: number, length: number, signal: AbortSignal): AsyncIterable<BlockExtent> {
  return mergeExtents(fillGaps(disk, offset, offset + length, signal));
}

async function* fillGaps(
  disk: NbdExport,
  start: number,
  end: number,
  signal: AbortSignal,
): AsyncGenerator<BlockExtent> {
  let reached = start;
  if (disk.extents !== undefined) {
    for await (const { offset, length, flags } of disk.extents(start, end - start, signal)) {
      const from = Math.max(offset, reached);
      const to = Math.min(offset + length, end);
      if (to <= from) continue;
      if (from > reached) yield { offset: reached, length: from - reached, flags: 0 };
      yield { offset: from, length: to - from, flags };
      reached = to;
    }
  }
  if (reached < end) yield { offset: reached, length: end - reached, flags: 0 };
}

async function change(disk: NbdExport, request: Request, signal: AbortSignal): Promise<void> {
  const { code, offset, length, payload } = request;
  if (code === command.flush) {
    await disk.flush?.(signal);
    return;
  }
  if (disk.readOnly || disk.write === undefined) throw refusal("EPERM");
  checkRange(disk, request, 0xffffffff);
  if (code === command.write && payload !== undefined) await disk.write(payload, offset, signal);
  else if (code === command.trim && disk.trim !== undefined) await disk.trim(offset, length, signal);
  else if (code === command.writeZeroes && disk.writeZeroes !== undefined)
    await disk.writeZeroes(offset, length, signal);
  else throw refusal("EINVAL");
  if ((request.flags & commandFlags.fua) !== 0) await disk.flush?.(signal);
}

function checkRange(disk: NbdExport, { code, offset, length }: Request, most: number): void {
  if (offset + length > disk.size)
    throw refusal(code === command.read || code === command.blockStatus ? "EINVAL" : "ENOSPC");
  if (length > most) throw refusal("EOVERFLOW");
}

function refusal(errno: string): Error {
  return Object.assign(new Error(errno), { code: errno });
}

function toErrorNumber(error: unknown): number {
  const errno = systemCode(error);
  const known = Object.entries(errorNumbers).find(([, name]) => name === errno);
  return Number(known?.[0] ?? 5);
}
