// The disk, behind one door. Nothing outside lib/ imports node:fs, so a test can put a recording or
// failing file system in its place. What `writeDurably` returns from has survived a power cut.

import * as fs from "node:fs/promises";
import { constants, type Stats } from "node:fs";
import { dirname, join } from "node:path";
import { systemCode } from "./errors.ts";
import { newGuid } from "./random.ts";

export interface FileStatus {
  readonly size: number;
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  readonly isSymbolicLink: boolean;
  readonly isSocket: boolean;
  readonly modifiedAt: number;
  readonly mode: number;
  readonly owner: number;
  readonly inode: number;
  /** Bytes that the file takes on the disk (holes are free). */
  readonly allocated: number;
}

export interface OpenFile extends AsyncDisposable {
  read(target: Uint8Array, position: number): Promise<number>;
  write(source: Uint8Array, position: number): Promise<void>;
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  status(): Promise<FileStatus>;
  readonly descriptor: number;
  close(): Promise<void>;
}

/**
 * `readNoFollow` fails with ELOOP on a symbolic link and never waits for the other end of a pipe.
 * `writeDirect` passes the page cache: EINVAL where the file system cannot, or what is written is not aligned.
 */
export type OpenMode = "read" | "readNoFollow" | "readWrite" | "writeDirect" | "create" | "createNew";

export interface FileSystem {
  open(path: string, mode: OpenMode, permissions?: number): Promise<OpenFile>;
  read(path: string): Promise<Buffer>;
  /** Atomic and durable: the old content or the new one, whatever happens. */
  writeDurably(path: string, content: Uint8Array | string, permissions?: number): Promise<void>;
  status(path: string): Promise<FileStatus | undefined>;
  /** Like `status`, of the link itself. */
  linkStatus(path: string): Promise<FileStatus | undefined>;
  list(path: string): Promise<string[]>;
  makeDirectory(path: string, permissions?: number): Promise<void>;
  /** Gives a file or folder to a user, by number; its group stays. */
  changeOwner(path: string, owner: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Fails with EEXIST when `to` is there: a conditional create. */
  link(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  removeTree(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  realPath(path: string): Promise<string>;
  freeBytes(path: string): Promise<number>;
  /** The magic number of the file system that holds `path` (statfs). */
  volumeType(path: string): Promise<number>;
}

const openFlags: Record<OpenMode, number> = {
  read: constants.O_RDONLY,
  readNoFollow: constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  readWrite: constants.O_RDWR,
  writeDirect: constants.O_WRONLY | constants.O_DIRECT,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC,
  createNew: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

export const disk: FileSystem = {
  open: async (path, mode, permissions = 0o600) => wrap(await fs.open(path, openFlags[mode], permissions)),
  read: (path) => fs.readFile(path),
  writeDurably: async (path, content, permissions = 0o600) => {
    const folder = dirname(path);
    const temporary = join(folder, `.${newGuid()}.tmp`);
    try {
      const handle = await fs.open(temporary, "wx", permissions);
      try {
        await handle.writeFile(content);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await fs.rename(temporary, path);
    } catch (error) {
      await fs.rm(temporary, { force: true });
      throw error;
    }
    await syncDirectory(folder);
  },
  status: (path) => absentAsUndefined(fs.stat(path)),
  linkStatus: (path) => absentAsUndefined(fs.lstat(path)),
  list: (path) => fs.readdir(path),
  makeDirectory: async (path, permissions = 0o700) => {
    await fs.mkdir(path, { recursive: true, mode: permissions });
  },
  changeOwner: (path, owner) => fs.chown(path, owner, -1),
  rename: (from, to) => fs.rename(from, to),
  link: (from, to) => fs.link(from, to),
  remove: (path) => fs.rm(path, { force: true }),
  removeTree: (path) => fs.rm(path, { recursive: true, force: true }),
  syncDirectory,
  realPath: (path) => fs.realpath(path),
  freeBytes: async (path) => {
    const volume = await fs.statfs(path);
    return volume.bavail * volume.bsize;
  },
  volumeType: async (path) => (await fs.statfs(path)).type,
};

async function syncDirectory(path: string): Promise<void> {
  const handle = await fs.open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function absentAsUndefined(pending: Promise<Stats>): Promise<FileStatus | undefined> {
  try {
    return describe(await pending);
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

function describe(stats: Stats): FileStatus {
  return {
    size: stats.size,
    isFile: stats.isFile(),
    isDirectory: stats.isDirectory(),
    isSymbolicLink: stats.isSymbolicLink(),
    isSocket: stats.isSocket(),
    modifiedAt: stats.mtimeMs,
    mode: stats.mode & 0o7777,
    owner: stats.uid,
    inode: stats.ino,
    allocated: stats.blocks * 512,
  };
}

function wrap(handle: fs.FileHandle): OpenFile {
  return {
    descriptor: handle.fd,
    read: async (target, position) => {
      let filled = 0;
      while (filled < target.byteLength) {
        const { bytesRead } = await handle.read(target, filled, target.byteLength - filled, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled;
    },
    write: async (source, position) => {
      let written = 0;
      while (written < source.byteLength) {
        const { bytesWritten } = await handle.write(source, written, source.byteLength - written, position + written);
        written += bytesWritten;
      }
    },
    sync: () => handle.sync(),
    truncate: (length) => handle.truncate(length),
    status: async () => describe(await handle.stat()),
    close: () => handle.close(),
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/** A symbolic link at `path`, whatever `target` leads to. */
export const makeSymbolicLink = (target: string, path: string): Promise<void> => fs.symlink(target, path);

/** Files that match any of the patterns, as paths below `folder`, sorted. */
export async function findFiles(patterns: readonly string[], folder: string): Promise<string[]> {
  const found = new Set<string>();
  for await (const path of fs.glob([...patterns], { cwd: folder, exclude: (path) => path.includes("node_modules") })) {
    found.add(path);
  }
  return [...found].sort();
}
