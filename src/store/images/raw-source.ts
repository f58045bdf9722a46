// A raw image is read by ourselves. Where its holes are, qemu-img tells in milliseconds (SEEK_DATA,
// which Node does not have); without qemu-img everything is read, with the same result.

import { resolve } from "node:path";
import { z } from "zod";
import { isErrorCode } from "../../lib/errors.ts";
import { disk, type OpenFile } from "../../lib/files.ts";
import { findProgram } from "../../lib/processes.ts";
import { readBlockDeviceSize } from "./block-device.ts";
import { imageErrors } from "./errors.ts";
import { askQemu } from "./inspect.ts";
import type { ImageSource } from "./image-source.ts";
import type { SourceExtent } from "../sources/disk-source.ts";

const map = z.array(z.object({ start: z.number(), length: z.number(), zero: z.boolean() }));

export async function openRawSource(image: string, signal?: AbortSignal): Promise<ImageSource> {
  const path = resolve(image);
  const status = await disk.status(path);
  if (status === undefined || status.isDirectory) throw imageErrors.ImageMissing(`There is no image ${path}.`);
  if (status.isSocket) throw imageErrors.ImageMissing(`${path} is a socket, not an image.`);
  const file = await disk.open(path, "read");
  try {
    const size = status.isFile ? status.size : await readBlockDeviceSize(path, signal);
    // A file without holes needs no map.
    const known = status.isFile && status.allocated >= size ? undefined : await readMap(path, size, signal);
    return {
      size,
      read: (into, offset, readSignal) => readWhole(file, path, into, offset, readSignal),
      ...(known === undefined ? {} : { extents: (from: number, to: number) => within(known, from, to) }),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readWhole(
  file: OpenFile,
  path: string,
  into: Uint8Array,
  offset: number,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  let filled: number;
  try {
    filled = await file.read(into, offset);
  } catch (cause) {
    throw imageErrors.ImageUnreadable(`${path} cannot be read at ${offset}.`, { cause });
  }
  if (filled === into.length) return;
  throw imageErrors.ImageUnreadable(`${path} ends at ${offset + filled}: it became shorter while it was read.`);
}

async function readMap(path: string, size: number, signal?: AbortSignal): Promise<SourceExtent[] | undefined> {
  if (findProgram("qemu-img") === undefined) return undefined;
  let printed: string;
  try {
    printed = await askQemu(["map", "--output=json", "-f", "raw", "--", path], path, "raw", signal);
  } catch (error) {
    if (isErrorCode(error, "ProgramFailed")) return undefined; // more extents than we are ready to hold
    throw error;
  }
  const parsed = map.safeParse(JSON.parse(printed));
  if (!parsed.success) return undefined;
  const extents: SourceExtent[] = [];
  let end = 0;
  for (const { start, length, zero } of parsed.data) {
    if (start !== end || start + length > size + sectorRounding) return undefined;
    end = start + length;
    extents.push({ offset: start, length: Math.min(length, size - start), kind: zero ? "zero" : "data" });
  }
  return end >= size ? extents.filter((extent) => extent.length > 0) : undefined;
}

/** QEMU rounds a file's length up to whole sectors. */
const sectorRounding = 511;

async function* within(extents: readonly SourceExtent[], from: number, to: number): AsyncGenerator<SourceExtent> {
  for (let index = firstEndingAfter(extents, from); index < extents.length; index += 1) {
    const extent = extents[index];
    if (extent === undefined || extent.offset >= to) return;
    const offset = Math.max(extent.offset, from);
    yield { kind: extent.kind, offset, length: Math.min(extent.offset + extent.length, to) - offset };
  }
}

function firstEndingAfter(extents: readonly SourceExtent[], position: number): number {
  let [low, high] = [0, extents.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const extent = extents[middle];
    if (extent !== undefined && extent.offset + extent.length <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
