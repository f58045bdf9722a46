// Managed disks and snapshots as sparse raw files in the data folder, one each, named by a GUID that
// never changes. A file has its name only when all of its content is durable.

import { basename, join } from "node:path";
import type { Transaction } from "kysely";
import type { BootPaths } from "../backup/restore/boot-files.ts";
import { writePointDisks, type WriteProgress } from "../backup/capture/index.ts";
import { parseStoreName } from "../backup/stores/store-name.ts";
import type { Stores } from "../backup/stores/stores.ts";
import type { Database } from "../db/database.ts";
import type { Tables } from "../db/schema.ts";
import { scopeOf } from "../db/transaction.ts";
import { disk } from "../lib/files.ts";
import { run } from "../lib/processes.ts";
import { createImage } from "../store/images/image-target.ts";
import { openRawFile, type RawFileSource } from "../store/sources/raw-file.ts";
import { readPoint } from "../store/points/points.ts";
import { parsePointName, type DiskSource, type Point, type Vault } from "../store/index.ts";
import { diskErrors } from "./errors.ts";
import { forgetImage, imageById, knownImages, markReady } from "./image-rows.ts";
import { openFixedVhd } from "./import-vhd.ts";

/** Where a disk's first content comes from. */
export type DiskContent =
  | { readonly kind: "empty" }
  | { readonly kind: "image"; readonly imageId: string }
  | PointDisk
  /** The same of a store that is open already, perhaps the tier before the vault. */
  | {
      readonly kind: "openPoint";
      readonly vault: Vault;
      readonly point: Point;
      readonly disk: string;
      onProgress?(progress: WriteProgress): void;
    }
  /** Anything that can be read like a disk, for example a snapshot of a machine's disk. */
  | { readonly kind: "source"; readonly source: DiskSource }
  /** A fixed VHD, as it is downloaded from Azure or from here. */
  | { readonly kind: "vhd"; readonly size: number; readonly body: AsyncIterable<Uint8Array> };

export interface PointDisk {
  readonly kind: "point";
  readonly store: string;
  readonly point: string;
  readonly disk: string;
}

export interface DiskImages {
  /** Where the image of a machine's disk is; for hosts that run machines from here. */
  pathOf(imageId: string): string;
  /** Where the kernel and the UEFI variables lie that go with a system disk; they are removed with the image. */
  bootPathsOf(imageId: string): BootPaths;
  /**
   * Writes a reserved image; `atLeast` makes it larger than its content. Durable, and known as ready,
   * when it returns with its size. Doing it again begins anew.
   */
  write(imageId: string, content: DiskContent, atLeast: number, signal?: AbortSignal): Promise<number>;
  /** Disks grow only. */
  grow(imageId: string, size: number): Promise<void>;
  open(imageId: string): Promise<RawFileSource>;
  /** The row goes with the transaction, the file after it. */
  remove(trx: Transaction<Tables>, owner: string): Promise<void>;
  /** Removes files that nobody owns: what a killed predecessor left. */
  sweep(): Promise<string[]>;
}

export interface DiskImagesOptions {
  readonly folder: string;
  readonly database: Database;
  readonly stores: Stores;
  readonly report: (error: unknown) => void;
}

/** Room that a copy must leave on the file system. */
const reserveBytes = 256 * 1024 * 1024;

export async function openDiskImages(options: DiskImagesOptions): Promise<DiskImages> {
  const { folder, database, stores, report } = options;
  await disk.makeDirectory(folder, 0o700);
  const pathOf = (imageId: string): string => join(folder, `${imageId}.raw`);
  const bootPathsOf = (imageId: string): BootPaths => ({
    kernel: join(folder, `${imageId}.kernel`),
    initrd: join(folder, `${imageId}.initrd`),
    variables: join(folder, `${imageId}.nvram`),
  });
  const writing = new Set<string>();

  const writeContent = async (
    path: string,
    content: DiskContent,
    atLeast: number,
    signal: AbortSignal | undefined,
  ): Promise<number> => {
    switch (content.kind) {
      case "empty": {
        await using target = await createImage(path, "raw", atLeast, { overwrite: true });
        await target.finish();
        return atLeast;
      }
      case "image":
        return copyImage(pathOf(content.imageId), path, signal);
      case "point": {
        await using opened = await stores.open(parseStoreName(content.store));
        const point = await readPoint(opened.vault, parsePointName(content.point), "points", signal);
        return writeContent(
          path,
          { kind: "openPoint", vault: opened.vault, point, disk: content.disk },
          atLeast,
          signal,
        );
      }
      case "openPoint": {
        const file = { disk: content.disk, path, format: "raw", overwrite: true } as const;
        const { vault, point, onProgress } = content;
        const [written] = await writePointDisks(vault, point, [file], { onProgress }, signal);
        return written?.sizeBytes ?? 0;
      }
      case "source": {
        const { source } = content;
        await using target = await createImage(path, "raw", source.size, { overwrite: true });
        await copySource(source, (bytes, offset) => target.write(bytes, offset), signal);
        await target.finish();
        return source.size;
      }
      case "vhd": {
        const { size, pieces } = await openFixedVhd(content.size, content.body);
        await using target = await createImage(path, "raw", size, { overwrite: true });
        for await (const { bytes, offset } of pieces) {
          signal?.throwIfAborted();
          await target.write(bytes, offset);
        }
        await target.finish();
        return size;
      }
    }
  };

  const copyImage = async (from: string, to: string, signal: AbortSignal | undefined): Promise<number> => {
    const status = await disk.status(from);
    if (status === undefined) throw diskErrors.DiskImageUnknown(`${basename(from)} is not in the data folder.`);
    if ((await disk.freeBytes(folder)) < status.allocated + reserveBytes) {
      throw diskErrors.DiskSpaceShort(`Copying the disk needs up to ${status.allocated} bytes in ${folder}.`);
    }
    const partial = `${to}.partial`;
    await disk.remove(partial);
    try {
      // Where the file system can, both share their blocks; elsewhere holes stay holes.
      await run("cp", ["--reflink=auto", "--sparse=always", "--", from, partial], { signal });
      await using file = await disk.open(partial, "readWrite");
      await file.sync();
      await disk.rename(partial, to);
      await disk.syncDirectory(folder);
      return status.size;
    } catch (error) {
      await disk.remove(partial);
      throw error;
    }
  };

  const truncateTo = async (path: string, size: number): Promise<void> => {
    await using file = await disk.open(path, "readWrite");
    await file.truncate(size);
    await file.sync();
  };

  return {
    pathOf,
    bootPathsOf,
    write: async (imageId, content, atLeast, signal) => {
      writing.add(imageId);
      try {
        const written = await writeContent(pathOf(imageId), content, atLeast, signal);
        const size = Math.max(written, atLeast);
        if (size > written) await truncateTo(pathOf(imageId), size);
        await database.transaction((trx) => markReady(trx, imageId, size));
        return size;
      } finally {
        writing.delete(imageId);
      }
    },
    grow: async (imageId, size) => {
      const image = await imageById(database.kysely, imageId);
      if (image === undefined || !image.isReady) throw diskErrors.DiskImageNotReady(`The disk has no content yet.`);
      if (size < image.size) {
        throw diskErrors.DiskShrinkRefused(`The disk has ${image.size} bytes; ${size} are fewer.`);
      }
      await truncateTo(pathOf(imageId), size);
      await database.transaction((trx) => markReady(trx, imageId, size));
    },
    open: (imageId) => openRawFile(pathOf(imageId)),
    remove: async (trx, owner) => {
      const image = await forgetImage(trx, owner);
      if (image === undefined) return;
      const paths = [pathOf(image.imageId), ...Object.values(bootPathsOf(image.imageId))];
      scopeOf(trx).afterCommit(() => {
        for (const path of paths) void disk.remove(path).catch(report);
      });
    },
    sweep: async () => {
      const known = await knownImages(database.kysely);
      const removed: string[] = [];
      for (const name of await disk.list(folder)) {
        const imageId = /^([0-9a-f-]{36})\.(?:raw|kernel|initrd|nvram)$/.exec(name)?.[1];
        if (imageId !== undefined && known.has(imageId)) continue;
        if ([...writing].some((id) => name.includes(id))) continue;
        await disk.remove(join(folder, name));
        removed.push(name);
      }
      return removed;
    },
  };
}

const pieceSize = 1024 * 1024;

/** Only what holds something is read. */
async function copySource(
  source: DiskSource,
  write: (bytes: Uint8Array, offset: number) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const everything = [{ offset: 0, length: source.size, kind: "data" as const }];
  const piece = Buffer.alloc(pieceSize);
  for await (const { offset, length, kind } of source.extents?.(0, source.size, signal) ?? everything) {
    if (kind === "zero") continue;
    for (let at = 0; at < length; at += pieceSize) {
      const part = piece.subarray(0, Math.min(pieceSize, length - at));
      await source.read(part, offset + at, signal);
      await write(part, offset + at);
    }
  }
}
