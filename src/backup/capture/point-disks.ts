// Disks of a point as image files. Every block is checked against its name while it is read, and no
// file gets its name before all of them are whole.

import type { Point, Vault } from "../../store/index.ts";
import { diskOf, readDisk } from "../../store/index.ts";
import type { WritableFormat } from "../../store/images/format.ts";
import { createImage } from "../../store/images/image-target.ts";

export interface DiskFile {
  /** The disk's name in the point. */
  readonly disk: string;
  readonly path: string;
  readonly format: WritableFormat;
  /** A file of that name may be replaced. */
  readonly overwrite?: boolean;
}

export interface WriteProgress {
  readonly bytesTotal: number;
  readonly bytesDone: number;
}

export interface WrittenFile extends DiskFile {
  readonly sizeBytes: number;
  /** The rest is empty. */
  readonly bytesWritten: number;
}

export async function writePointDisks(
  vault: Vault,
  point: Point,
  files: readonly DiskFile[],
  onProgress: (progress: WriteProgress) => void = () => {},
  signal?: AbortSignal,
): Promise<WrittenFile[]> {
  await using targets = new AsyncDisposableStack();
  const failed = new AbortController();
  const common = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const sizes = files.map(({ disk }) => diskOf(point, disk).size);
  const bytesTotal = sizes.reduce((sum, size) => sum + size, 0);
  const done = files.map(() => 0);

  const writeOne = async (file: DiskFile, index: number) => {
    const sizeBytes = sizes[index] ?? 0;
    const target = targets.use(await createImage(file.path, file.format, sizeBytes, { overwrite: file.overwrite }));
    const { bytesWritten } = await readDisk(
      vault,
      point,
      file.disk,
      { write: (bytes, offset) => target.write(bytes, offset) },
      {
        checkIds: true,
        signal: common,
        onProgress: (progress) => {
          done[index] = progress.bytesWritten + progress.bytesZero;
          onProgress({ bytesTotal, bytesDone: done.reduce((sum, part) => sum + part, 0) });
        },
      },
    );
    return { target, written: { ...file, sizeBytes, bytesWritten } };
  };

  const results = await Promise.allSettled(
    files.map((file, index) =>
      writeOne(file, index).catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
    ),
  );
  common.throwIfAborted();
  const written: WrittenFile[] = [];
  for (const result of results) {
    if (result.status === "rejected") throw result.reason;
    await result.value.target.finish();
    written.push(result.value.written);
  }
  return written;
}
