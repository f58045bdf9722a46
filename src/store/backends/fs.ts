// Objects as files. A put writes a temporary file, syncs it, gives it its name with link(2) (which
// has one winner) or rename(2) (which replaces at once), and syncs the folder; every folder on the
// way was synced into its parent when it was made. So what has a name is whole, and what was
// acknowledged is there after a power cut.
//
// Inside the store's folder, `.holdfast/` is this backend's own: no object name begins with a dot.

import { dirname, join, relative, resolve } from "node:path";
import { systemClock, type Clock } from "../../lib/clock.ts";
import { systemCode } from "../../lib/errors.ts";
import { disk, type FileStatus, type FileSystem, type OpenFile } from "../../lib/files.ts";
import { checkRange, piecesOf, type ObjectContent } from "./content.ts";
import { objectErrors } from "./errors.ts";
import { fromSystemError } from "./fs-errors.ts";
import { openFolders } from "./fs-folders.ts";
import { openFileLocks, type FileLocks } from "./fs-lock.ts";
import { openTemporaryFiles } from "./fs-temporary.ts";
import { checkVolumeType, probeFileSystem } from "./fs-trust.ts";
import { listFiles } from "./fs-list.ts";
import { checkObjectName, checkObjectPrefix } from "./object-name.ts";
import type { ObjectInfo, ObjectStore, PutOptions } from "./object-store.ts";

export interface FsStoreOptions {
  readonly files?: FileSystem;
  /** Make the folder when it is not there. */
  readonly create?: boolean;
  /** Accept file systems that are known to lose what they confirmed (tmpfs, FUSE, network). */
  readonly trustFileSystem?: boolean;
  /** Lock objects with the kernel's immutable flag; needs root. */
  readonly immutable?: boolean;
  readonly clock?: Clock;
  /** Change nothing, not even to clean up: for stores on read-only media. */
  readonly readOnly?: boolean;
}

export async function openFsStore(folder: string, options: FsStoreOptions = {}): Promise<ObjectStore> {
  const files = options.files ?? disk;
  const wanted = resolve(folder);
  try {
    if (options.create === true && options.readOnly !== true) await makeRoot(files, wanted);
    const status = await files.status(wanted);
    if (status === undefined) throw objectErrors.StoreMissing(`There is no folder ${wanted}.`);
    if (!status.isDirectory) {
      throw objectErrors.StoreLocationInvalid(`${wanted} is a file; a store is a folder. Choose another place.`);
    }
    const root = await files.realPath(wanted);
    if (options.readOnly === true) return readOnlyFsStore(files, root);
    if (options.trustFileSystem !== true) await checkVolumeType(files, root);
    const own = join(root, ".holdfast");
    await files.makeDirectory(own);
    const temporary = await openTemporaryFiles(files, join(own, "tmp"));
    await probeFileSystem(files, temporary.folder, temporary.newPath().slice(temporary.folder.length + 1));
    const locks =
      options.immutable === true
        ? await openFileLocks(files, own, options.clock ?? systemClock, temporary.newPath)
        : undefined;
    return writableFsStore(files, root, temporary.newPath, locks);
  } catch (error) {
    throw fromSystemError(error, `Opening the store in ${wanted}`);
  }
}

/** Makes the folder and every missing one above it, each synced into its parent. */
async function makeRoot(files: FileSystem, root: string): Promise<void> {
  const missing: string[] = [];
  for (let path = root; (await files.status(path)) === undefined; path = dirname(path)) missing.unshift(path);
  for (const path of missing) {
    await files.makeDirectory(path);
    await files.syncDirectory(dirname(path));
  }
}

type Reading = Pick<ObjectStore, "location" | "supports" | "get" | "head" | "list">;

function reading(files: FileSystem, root: string): Reading {
  const folders = openFolders(files, root);
  return {
    location: `file://${root}`,
    supports: { objectLock: false, atomicCreate: true, contentCheck: false },
    get: async (name, { offset, length, signal } = {}) => {
      checkObjectName(name);
      signal?.throwIfAborted();
      try {
        await folders.check(dirname(join(root, name)));
        const { file: opened, size } = await openObject(files, root, name);
        await using file = opened;
        const range = checkRange(name, size, offset, length);
        const target = Buffer.allocUnsafeSlow(range.length);
        // A file that somebody cuts short between the two calls is as short as one that was so before.
        checkRange(name, range.offset + (await file.read(target, range.offset)), range.offset, range.length);
        return target;
      } catch (error) {
        throw fromSystemError(error, `Reading ${name} in ${root}`);
      }
    },
    head: async (name, signal) => {
      checkObjectName(name);
      signal?.throwIfAborted();
      const status = await files.linkStatus(join(root, name));
      return status?.isFile === true ? describe(name, status) : undefined;
    },
    list: async function* (prefix, signal) {
      checkObjectPrefix(prefix);
      try {
        for await (const path of listFiles(files, root, prefix, signal)) {
          yield describe(relative(root, path.path), path.status);
        }
      } catch (error) {
        throw fromSystemError(error, `Listing ${prefix} in ${root}`);
      }
    },
  };
}

function readOnlyFsStore(files: FileSystem, root: string): ObjectStore {
  const refuse = async (name: string): Promise<never> => {
    checkObjectName(name);
    throw objectErrors.StoreReadOnly(`The store file://${root} was opened for reading only; ${name} stays as it is.`);
  };
  return { ...reading(files, root), put: refuse, delete: refuse, [Symbol.asyncDispose]: async () => {} };
}

function writableFsStore(
  files: FileSystem,
  root: string,
  newTemporaryPath: () => string,
  locks: FileLocks | undefined,
): ObjectStore {
  const folders = openFolders(files, root);

  async function put(name: string, content: ObjectContent, options: PutOptions = {}): Promise<void> {
    checkObjectName(name);
    if (options.lockedUntil !== undefined && locks === undefined) {
      throw objectErrors.StoreRefused(`file://${root} cannot lock ${name}: it was opened without immutable=true.`, {
        remedy: "Add ?immutable=true to the location (as root), or use a service with object lock.",
      });
    }
    const temporary = newTemporaryPath();
    const path = join(root, name);
    try {
      await writeTemporary(files, temporary, content, options.signal);
      await folders.make(dirname(path));
      if (options.lockedUntil !== undefined) await locks?.note(name, options.lockedUntil);
      await giveName(temporary, path, name, options);
      if (options.lockedUntil !== undefined) await locks?.set(path);
      await files.syncDirectory(dirname(path));
    } catch (error) {
      throw fromSystemError(error, `Writing ${name} in ${root}`);
    } finally {
      await files.remove(temporary).catch(() => {}); // the next open removes what stays
    }
  }

  async function giveName(temporary: string, path: string, name: string, options: PutOptions): Promise<void> {
    if (options.onlyIfAbsent !== true) return files.rename(temporary, path);
    try {
      await files.link(temporary, path);
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
      // Its writer may not have synced yet, and our caller will rely on it.
      await files.syncDirectory(dirname(path));
      throw objectErrors.ObjectExists(`file://${root} already holds ${name}.`);
    }
  }

  const common = reading(files, root);
  return {
    ...common,
    supports: { ...common.supports, objectLock: locks !== undefined },
    put,
    delete: async (name, signal) => {
      checkObjectName(name);
      signal?.throwIfAborted();
      const path = join(root, name);
      try {
        await folders.check(dirname(path));
        await locks?.release(name, path);
        await files.remove(path);
        await files.syncDirectory(dirname(path));
      } catch (error) {
        if (systemCode(error) === "ENOENT") return;
        throw fromSystemError(error, `Deleting ${name} in ${root}`);
      }
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

async function openObject(
  files: FileSystem,
  root: string,
  name: string,
): Promise<{ readonly file: OpenFile; readonly size: number }> {
  let file: OpenFile;
  try {
    file = await files.open(join(root, name), "readNoFollow");
  } catch (error) {
    const code = systemCode(error);
    if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
    throw objectErrors.ObjectMissing(`file://${root} holds no ${name}.`, { cause: error });
  }
  const { isFile, size } = await file.status();
  if (isFile) return { file, size };
  await file.close();
  throw objectErrors.ObjectMissing(`file://${root} holds something at ${name} that is not a file.`);
}

async function writeTemporary(
  files: FileSystem,
  path: string,
  content: ObjectContent,
  signal?: AbortSignal,
): Promise<void> {
  await using file = await files.open(path, "createNew", 0o400);
  let position = 0;
  for (const piece of piecesOf(content)) {
    signal?.throwIfAborted();
    await file.write(piece, position);
    position += piece.byteLength;
  }
  await file.sync();
}

function describe(name: string, status: FileStatus): ObjectInfo {
  return { name, size: status.size, modifiedAt: status.modifiedAt };
}
