import type { OpenFile } from "../../lib/files.ts";
import type { ImageLayout } from "./image-layout.ts";

export async function rawLayout(file: OpenFile, size: number): Promise<ImageLayout> {
  // The file is new: what is never written is a hole.
  await file.truncate(size);
  return { write: (from, offset) => file.write(from, offset), complete: async () => {} };
}
