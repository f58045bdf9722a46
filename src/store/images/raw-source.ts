// A raw image, or a block device, is read by ourselves.

import { resolve } from "node:path";
import { disk } from "../../lib/files.ts";
import { openRawFile } from "../sources/raw-file.ts";
import { readBlockDeviceSize } from "./block-device.ts";
import { imageErrors } from "./errors.ts";
import type { ImageSource } from "./image-source.ts";

export async function openRawSource(image: string, signal?: AbortSignal): Promise<ImageSource> {
  const path = resolve(image);
  const status = await disk.status(path);
  if (status === undefined) throw imageErrors.ImageMissing(`There is no image ${path}.`);
  if (status.isDirectory) throw imageErrors.ImageMissing(`${path} is a folder, not an image.`);
  if (status.isSocket) throw imageErrors.ImageMissing(`${path} is a socket, not an image.`);
  return status.isFile ? openRawFile(path) : openBlockDevice(path, signal);
}

async function openBlockDevice(path: string, signal?: AbortSignal): Promise<ImageSource> {
  const size = await readBlockDeviceSize(path, signal);
  const file = await disk.open(path, "read");
  return {
    size,
    read: async (into, offset, readSignal) => {
      readSignal?.throwIfAborted();
      const filled = await file.read(into, offset);
      if (filled === into.byteLength) return;
      throw imageErrors.ImageUnreadable(`${path} ends at ${offset + filled}, not at ${size}.`);
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}
