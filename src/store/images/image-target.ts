// Where a restored disk goes. Content arrives in any order and in parallel; what nobody writes reads
// as zeros and takes no space. The file has another name until `finish`, so a restore that broke off
// is never taken for a whole disk.

import { basename, dirname, join, resolve } from "node:path";
import { systemCode } from "../../lib/errors.ts";
import { disk, type FileSystem, type OpenFile } from "../../lib/files.ts";
import { newGuid } from "../../lib/random.ts";
import { writingDirectly } from "./direct-file.ts";
import { imageErrors } from "./errors.ts";
import type { WritableFormat } from "./format.ts";
import type { ImageLayout } from "./image-layout.ts";
import { qcow2Layout } from "./qcow2-target.ts";
import { rawLayout } from "./raw-target.ts";
import { vhdLayout } from "./vhd-target.ts";

export interface ImageTarget extends AsyncDisposable {
  /** `from` begins at any multiple of 512 of the disk. */
  write(from: Uint8Array, offset: number): Promise<void>;
  /** Makes it durable under its name. Without it, disposing leaves nothing behind. */
  finish(): Promise<void>;
}

const layouts: Readonly<Record<WritableFormat, (file: OpenFile, size: number) => Promise<ImageLayout>>> = {
  raw: rawLayout,
  qcow2: qcow2Layout,
  vhd: vhdLayout,
};

export interface ImageTargetOptions {
  readonly overwrite?: boolean;
  readonly files?: FileSystem;
}

export async function createImage(
  image: string,
  format: WritableFormat,
  size: number,
  { overwrite = false, files = disk }: ImageTargetOptions = {},
): Promise<ImageTarget> {
  const path = resolve(image);
  const present = await files.linkStatus(path);
  if (present !== undefined && !present.isFile) {
    throw imageErrors.ImageExists(`${path} is not a plain file; a restore makes a new file.`, {
      remedy: "Choose another name.",
    });
  }
  if (present !== undefined && !overwrite) throw imageErrors.ImageExists(`${path} exists.`);
  if ((await files.status(dirname(path)))?.isDirectory !== true) {
    throw imageErrors.ImageUnwritable(`There is no folder ${dirname(path)} for ${basename(path)}.`, {
      remedy: "Make the folder, or choose another one.",
    });
  }
  const partial = join(dirname(path), `.${basename(path)}.${newGuid()}.partial`);
  const file = await writingDirectly(files, partial, await opened(files, partial));
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await file.close();
  };
  try {
    const layout = await layouts[format](file, size);
    const writeBack = steadyWriteBack(file);
    return {
      write: async (from, offset) => {
        await writeContent(layout, from, offset);
        writeBack.wrote(from.length);
      },
      finish: async () => {
        await writeBack.end();
        await layout.complete();
        await file.sync();
        await close();
        await (overwrite ? files.rename(partial, path) : linkNew(files, partial, path));
        await files.syncDirectory(dirname(path));
      },
      [Symbol.asyncDispose]: async () => {
        await writeBack.end().catch(() => {}); // whoever disposes without finishing has another failure
        await close();
        await files.remove(partial);
      },
    };
  } catch (error) {
    await close();
    await files.remove(partial);
    throw error;
  }
}

async function opened(files: FileSystem, partial: string): Promise<OpenFile> {
  try {
    return await files.open(partial, "createNew", 0o600);
  } catch (cause) {
    throw imageErrors.ImageUnwritable(`${partial} cannot be made: ${systemCode(cause) ?? "unknown"}.`, { cause });
  }
}

async function linkNew(files: FileSystem, partial: string, path: string): Promise<void> {
  try {
    await files.link(partial, path);
  } catch (cause) {
    if (systemCode(cause) === "EEXIST") throw imageErrors.ImageExists(`${path} came into being meanwhile.`, { cause });
    throw imageErrors.ImageUnwritable(`${partial} cannot be given its name.`, { cause });
  }
}

const syncEvery = 256 * 1024 * 1024;

/**
 * Syncs along the way: a restore writes faster than disks do, and gigabytes of unwritten pages would
 * stall every machine on this host, and us at the end.
 */
function steadyWriteBack(file: OpenFile): { wrote(bytes: number): void; end(): Promise<void> } {
  let unsynced = 0;
  let failure: { readonly error: unknown } | undefined;
  let running: Promise<void> | undefined;
  return {
    wrote: (bytes) => {
      unsynced += bytes;
      if (unsynced < syncEvery || running !== undefined) return;
      unsynced = 0;
      running = file
        .sync()
        .catch((error: unknown) => {
          // After a failed sync the pages may be gone: a later one that succeeds proves nothing.
          failure ??= { error };
        })
        .finally(() => {
          running = undefined;
        });
    },
    end: async () => {
      await running;
      if (failure === undefined) return;
      throw imageErrors.ImageUnwritable("What was written could not be brought to the disk.", { cause: failure.error });
    },
  };
}

const zeroes = Buffer.alloc(64 * 1024);

/** Leaves out pieces of zeros: a 1 MiB block is stored whole even when only a part of it holds something. */
async function writeContent(layout: ImageLayout, from: Uint8Array, offset: number): Promise<void> {
  const bytes = Buffer.from(from.buffer, from.byteOffset, from.byteLength);
  let begin = 0;
  for (let at = 0; at < bytes.length; at += zeroes.length) {
    const piece = bytes.subarray(at, at + zeroes.length);
    if (!piece.equals(piece.length === zeroes.length ? zeroes : zeroes.subarray(0, piece.length))) continue;
    if (at > begin) await written(layout, bytes.subarray(begin, at), offset + begin);
    begin = at + piece.length;
  }
  if (begin < bytes.length) await written(layout, bytes.subarray(begin), offset + begin);
}

async function written(layout: ImageLayout, bytes: Uint8Array, offset: number): Promise<void> {
  try {
    await layout.write(bytes, offset);
  } catch (cause) {
    const code = systemCode(cause);
    if (code === undefined) throw cause;
    throw imageErrors.ImageUnwritable(`Writing ${bytes.length} bytes at ${offset} of the disk failed: ${code}.`, {
      cause,
    });
  }
}
