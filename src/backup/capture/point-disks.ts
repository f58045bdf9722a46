// Disks of a point as image files, side by side. Every block is checked against its name while it is
// read, nothing is read before all the names are free, and a file gets its name when it is whole.

import { faultPoint } from "../../lib/faults.ts";
import type { Point, Vault } from "../../store/index.ts";
import { diskOf, readDisk } from "../../store/index.ts";
import type { WritableFormat } from "../../store/images/format.ts";
import { createImage, type ImageTarget } from "../../store/images/image-target.ts";

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

export interface Writing {
  /** Paths that are whole already: not written again, and counted as done. */
  readonly finished?: ReadonlySet<string>;
  onFinished?(file: DiskFile): Promise<void>;
  onProgress?(progress: WriteProgress): void;
}

/** The first failure ends it; files that are whole by then stay. */
export async function writePointDisks(
  vault: Vault,
  point: Point,
  files: readonly DiskFile[],
  { finished = new Set(), onFinished, onProgress }: Writing = {},
  signal?: AbortSignal,
): Promise<WrittenFile[]> {
  await using targets = new AsyncDisposableStack();
  const failed = new AbortController();
  const common = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const sizes = files.map(({ disk }) => diskOf(point, disk).size);
  const bytesTotal = sizes.reduce((sum, size) => sum + size, 0);
  const done = files.map(({ path }, index) => (finished.has(path) ? (sizes[index] ?? 0) : 0));
  const wanted: (() => Promise<WrittenFile>)[] = [];

  const writeOne = async (file: DiskFile, target: ImageTarget, index: number): Promise<WrittenFile> => {
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
          onProgress?.({ bytesTotal, bytesDone: done.reduce((sum, part) => sum + part, 0) });
        },
      },
    );
    common.throwIfAborted();
    await target.finish();
    faultPoint("restore.disk-written");
    await onFinished?.(file);
    return { ...file, sizeBytes: sizes[index] ?? 0, bytesWritten };
  };

  for (const [index, file] of files.entries()) {
    if (finished.has(file.path)) continue;
    const { path, format, overwrite } = file;
    const target = targets.use(await createImage(path, format, sizes[index] ?? 0, { overwrite }));
    wanted.push(() => writeOne(file, target, index));
  }
  const results = await Promise.allSettled(
    wanted.map((write) =>
      write().catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
    ),
  );
  common.throwIfAborted();
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}
