// Any disk image as something a backup reads.

import type { ReadableFormat } from "./format.ts";
import type { ImageSource } from "./image-source.ts";
import { openQemuSource } from "./qemu-source.ts";
import { openRawSource } from "./raw-source.ts";

export async function openImage(path: string, format: ReadableFormat, signal?: AbortSignal): Promise<ImageSource> {
  return format === "raw" ? openRawSource(path, signal) : openQemuSource(path, format, signal);
}
