// A restored disk is written past the page cache where the file system allows it: half of the cost of
// writing gigabytes is copying them into memory that nobody will read, at the expense of what the host
// had there. What is not aligned, or not taken this way, goes the usual way.

import { systemCode } from "../../lib/errors.ts";
import type { FileSystem, OpenFile } from "../../lib/files.ts";

const alignment = 4096;
const worthwhile = 64 * 1024;

/** `file` is open at `path`; both ways end with `close`. */
export async function writingDirectly(files: FileSystem, path: string, file: OpenFile): Promise<OpenFile> {
  const direct = await openDirect(files, path);
  if (direct === undefined) return file;
  let isTaken = true;
  const forDirect = (source: Uint8Array, position: number): boolean =>
    source.length >= worthwhile && [position, source.length, source.byteOffset].every((at) => at % alignment === 0);

  const close = async (): Promise<void> => {
    await direct.close();
    await file.close();
  };
  return {
    ...file,
    write: async (source, position) => {
      if (isTaken && forDirect(source, position)) {
        try {
          await direct.write(source, position);
          return;
        } catch (error) {
          if (systemCode(error) !== "EINVAL") throw error;
          isTaken = false; // the device, or this caller's memory, is aligned otherwise
        }
      }
      await file.write(source, position);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function openDirect(files: FileSystem, path: string): Promise<OpenFile | undefined> {
  try {
    return await files.open(path, "writeDirect");
  } catch (error) {
    if (systemCode(error) === "EINVAL") return undefined;
    throw error;
  }
}
