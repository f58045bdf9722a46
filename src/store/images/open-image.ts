// Any disk image as something a backup reads.

import type { ReadableFormat } from "./format.ts";
import type { ImageSource } from "./image-source.ts";
import { openRawSource } from "./raw-source.ts";

export async function openImage(path: string, format: ReadableFormat, signal?: AbortSignal): Promise<ImageSource> {
  if (format === "raw") return openRawSource(path, signal);
  // Loaded when it is needed: with it come the NBD client and TLS.
  const { openQemuSource } = await import("./qemu-source.ts");
  return openQemuSource(path, format, signal);
}
