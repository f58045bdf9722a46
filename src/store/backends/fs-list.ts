// Walks the files of a store in the order of their names. Links, other kinds of files and names that
// no object can have (a `lost+found`, somebody's notes) are passed over.

import { join } from "node:path";
import { systemCode } from "../../lib/errors.ts";
import type { FileStatus, FileSystem } from "../../lib/files.ts";

interface Entry {
  readonly path: string;
  readonly status: FileStatus;
}

export async function* listFiles(
  files: FileSystem,
  root: string,
  prefix: string,
  signal?: AbortSignal,
): AsyncGenerator<Entry> {
  const folderEnd = prefix.lastIndexOf("/") + 1;
  const folder = join(root, prefix.slice(0, folderEnd));
  yield* walk(files, entriesIn(files, folder, prefix.slice(folderEnd)), signal);
}

/** Folders are read ahead of those who take their entries. */
const foldersAhead = 8;

async function* walk(files: FileSystem, pending: Promise<Entry[]>, signal?: AbortSignal): AsyncGenerator<Entry> {
  signal?.throwIfAborted();
  const entries = await pending;
  const folders = entries.filter(({ status }) => status.isDirectory);
  const ahead: Promise<Entry[]>[] = [];
  let next = 0;
  for (const entry of entries) {
    if (entry.status.isFile) yield entry;
    if (!entry.status.isDirectory) continue;
    for (; next < folders.length && ahead.length < foldersAhead; next += 1) {
      const reading = entriesIn(files, folders[next]?.path ?? "", "");
      reading.catch(() => {}); // told to whoever comes to this folder
      ahead.push(reading);
    }
    const reading = ahead.shift();
    if (reading !== undefined) yield* walk(files, reading, signal);
  }
}

async function entriesIn(files: FileSystem, folder: string, nameStart: string): Promise<Entry[]> {
  const names = (await namesIn(files, folder)).filter(
    (name) => name.startsWith(nameStart) && /^[a-z0-9_-][a-z0-9._-]*$/.test(name),
  );
  const found = await Promise.all(
    names.map(async (name) => ({ name, path: join(folder, name), status: await files.linkStatus(join(folder, name)) })),
  );
  // "a/x" comes after "a-b" and before "a0": a folder sorts as its name with the slash.
  const key = (entry: { name: string; status: FileStatus | undefined }): string =>
    entry.status?.isDirectory === true ? `${entry.name}/` : entry.name;
  return found
    .sort((one, other) => (key(one) < key(other) ? -1 : 1))
    .flatMap(({ path, status }) => (status === undefined ? [] : [{ path, status }]));
}

async function namesIn(files: FileSystem, folder: string): Promise<string[]> {
  try {
    return await files.list(folder);
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}
