// Bytes on the disk. A file is written once, under a name of its own, and is durable before anything
// refers to it; so a crash leaves at most a file that nothing refers to, which `sweep` takes away.
// Only page blobs write into a file that is referred to, and never past a sync.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { systemClock } from "../../lib/clock.ts";
import { systemCode } from "../../lib/errors.ts";
import { disk, type OpenFile } from "../../lib/files.ts";
import { newGuid } from "../../lib/random.ts";
import { faultPoint } from "../../lib/faults.ts";
import { blobErrors } from "../errors.ts";
import { crc64 } from "./crc64.ts";

export interface ContentFiles {
  /** Streams to a new file; throws, and leaves nothing, when the bytes are not what was announced. */
  write(body: AsyncIterable<Uint8Array>, expected: ExpectedBytes, signal: AbortSignal): Promise<WrittenFile>;
  /** An empty file of that length: all holes. */
  createSparse(length: number): Promise<string>;
  /** Runs with the file open for reading and writing. */
  change<T>(file: string, work: (open: OpenFile) => Promise<T>): Promise<T>;
  /** Bytes of a file, in pieces. */
  read(file: string, offset: number, length: number, signal?: AbortSignal): AsyncGenerator<Uint8Array>;
  /** Keeps files from going until the returned function is called: what a reader will come to. */
  hold(files: readonly string[]): () => void;
  /** A file that is held goes when its last holder has ended. */
  remove(file: string): Promise<void>;
  /** Removes files from before this start that nothing refers to. */
  sweep(referenced: (files: readonly string[]) => Promise<ReadonlySet<string>>, signal: AbortSignal): Promise<number>;
}

export interface ExpectedBytes {
  /** More is refused. */
  readonly limit: number;
  readonly length?: number;
  readonly md5?: Uint8Array;
  readonly crc64?: Uint8Array;
}

export interface WrittenFile {
  readonly file: string;
  readonly length: number;
  readonly md5: Buffer;
}

const pieceBytes = 256 * 1024;
const folders = 256;

export async function openContentFiles(root: string): Promise<ContentFiles> {
  const startedAt = systemClock.now();
  for (let at = 0; at < folders; at += 1) await disk.makeDirectory(join(root, folderName(at)));
  const pathOf = (file: string): string => join(root, file.slice(0, 2), file);
  const holders = new Map<string, number>();
  const doomed = new Set<string>();

  const unlink = async (file: string): Promise<void> => {
    doomed.delete(file);
    await disk.remove(pathOf(file));
  };
  const create = async <T>(fill: (open: OpenFile) => Promise<T>): Promise<{ file: string; filled: T }> => {
    const file = newGuid();
    try {
      const open = await disk.open(pathOf(file), "createNew");
      let filled: T;
      try {
        filled = await fill(open);
        await open.sync();
      } finally {
        await open.close();
      }
      await disk.syncDirectory(join(root, file.slice(0, 2)));
      faultPoint("blobs.after-file");
      return { file, filled };
    } catch (error) {
      await disk.remove(pathOf(file));
      if (systemCode(error) === "ENOSPC") throw blobErrors.InsufficientStorage("The disk is full.", { cause: error });
      throw error;
    }
  };

  return {
    write: async (body, expected, signal) => {
      const { file, filled } = await create((open) => fill(open, body, expected, signal));
      return { file, ...filled };
    },
    createSparse: async (length) => (await create((open) => open.truncate(length))).file,
    change: async (file, work) => {
      const open = await disk.open(pathOf(file), "readWrite");
      try {
        return await work(open);
      } finally {
        await open.close();
      }
    },
    read: async function* (file, offset, length, signal) {
      const open = await disk.open(pathOf(file), "read");
      try {
        for (let at = 0; at < length;) {
          signal?.throwIfAborted();
          const piece = Buffer.allocUnsafe(Math.min(pieceBytes, length - at));
          const got = await open.read(piece, offset + at);
          if (got === 0) throw blobErrors.InternalError(`The content file ${file} is shorter than its blob.`);
          yield piece.subarray(0, got);
          at += got;
        }
      } finally {
        await open.close();
      }
    },
    hold: (files) => {
      for (const file of files) holders.set(file, (holders.get(file) ?? 0) + 1);
      return () => {
        for (const file of files) {
          const left = (holders.get(file) ?? 1) - 1;
          if (left > 0) holders.set(file, left);
          else holders.delete(file);
          // What cannot be removed now is found by the next start's sweep.
          if (left === 0 && doomed.has(file)) void unlink(file).catch(() => {});
        }
      };
    },
    remove: async (file) => {
      if (holders.has(file)) doomed.add(file);
      else await unlink(file);
    },
    sweep: async (referenced, signal) => {
      let removed = 0;
      for (let at = 0; at < folders; at += 1) {
        signal.throwIfAborted();
        const files = await disk.list(join(root, folderName(at)));
        const kept = await referenced(files);
        for (const file of files) {
          if (kept.has(file)) continue;
          // What was written since the start may be about to be referred to.
          const status = await disk.status(pathOf(file));
          if (status === undefined || status.modifiedAt >= startedAt) continue;
          await unlink(file);
          removed += 1;
        }
      }
      return removed;
    },
  };
}

async function fill(
  open: OpenFile,
  body: AsyncIterable<Uint8Array>,
  expected: ExpectedBytes,
  signal: AbortSignal,
): Promise<{ length: number; md5: Buffer }> {
  const hash = createHash("md5");
  const sum = expected.crc64 === undefined ? undefined : crc64();
  let length = 0;
  for await (const piece of body) {
    signal.throwIfAborted();
    if (length + piece.byteLength > expected.limit) {
      throw blobErrors.RequestBodyTooLarge(
        `The body is larger than the ${expected.limit} bytes that are allowed here.`,
      );
    }
    hash.update(piece);
    sum?.update(piece);
    await open.write(piece, length);
    length += piece.byteLength;
  }
  const md5 = hash.digest();
  if (expected.length !== undefined && expected.length !== length) {
    throw blobErrors.IncompleteBody(`Content-Length is ${expected.length}, the body has ${length} bytes.`);
  }
  if (expected.md5 !== undefined && !md5.equals(expected.md5)) {
    throw blobErrors.Md5Mismatch(
      `The MD5 of the body is ${md5.toString("base64")}, the request says ${Buffer.from(expected.md5).toString("base64")}.`,
    );
  }
  if (expected.crc64 !== undefined && sum?.digest().equals(expected.crc64) !== true) {
    throw blobErrors.Crc64Mismatch("The CRC64 of the body is not the one that the request says.");
  }
  return { length, md5 };
}

function folderName(at: number): string {
  return at.toString(16).padStart(2, "0");
}
