// A raw disk image in a local file. Node cannot ask a file for its holes, qemu-img can; without it
// everything is read and zeros are found by looking.

import { disk, type FileSystem } from "../../lib/files.ts";
import { findProgram, run } from "../../lib/processes.ts";
import * as z from "zod";
import { storeErrors } from "../errors.ts";
import type { DirtyRun, DiskSource, SourceExtent } from "./disk-source.ts";

export interface RawFileOptions {
  readonly dirty?: readonly DirtyRun[];
  readonly files?: FileSystem;
}

export interface RawFileSource extends DiskSource, AsyncDisposable {}

const mapSchema = z.array(
  z.object({
    start: z.number().int().nonnegative(),
    length: z.number().int().positive(),
    data: z.boolean(),
    zero: z.boolean(),
  }),
);

export async function openRawFile(path: string, options: RawFileOptions = {}): Promise<RawFileSource> {
  const file = await (options.files ?? disk).open(path, "read");
  const { size, allocated } = await file.status();
  // Asking costs a process: only where at least a sixteenth of the file are holes.
  const isSparse = allocated < size - (size >> 4) && findProgram("qemu-img") !== undefined;
  return {
    size,
    dirty: options.dirty,
    read: async (into, offset) => {
      const count = await file.read(into, offset);
      if (count < into.byteLength) {
        throw storeErrors.SourceShort(
          `${path} ended at ${offset + count}; it had ${size} bytes when the backup began, ${offset + into.byteLength} are needed.`,
        );
      }
    },
    extents: isSparse ? (from, to, signal) => holesOf(path, size, from, to, signal) : undefined,
    [Symbol.asyncDispose]: () => file.close(),
  };
}

async function* holesOf(
  path: string,
  size: number,
  from: number,
  to: number,
  signal?: AbortSignal,
): AsyncGenerator<SourceExtent> {
  const { stdout } = await run("qemu-img", ["map", "-U", "-f", "raw", "--output=json", path], { signal });
  let end = from;
  for (const { start, length, zero } of mapSchema.parse(JSON.parse(stdout))) {
    const first = Math.max(start, end);
    const last = Math.min(start + length, to, size);
    if (last <= first) continue;
    if (first > end) yield { offset: end, length: first - end, kind: "data" };
    yield { offset: first, length: last - first, kind: zero ? "zero" : "data" };
    end = last;
  }
  if (end < to) yield { offset: end, length: to - end, kind: "data" };
}
