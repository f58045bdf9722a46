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
  yield* walk(files, join(root, prefix.slice(0, folderEnd)), prefix.slice(folderEnd), signal);
}

async function* walk(
  files: FileSystem,
  folder: string,
  nameStart: string,
  signal?: AbortSignal,
): AsyncGenerator<Entry> {
  signal?.throwIfAborted();
  const names = (await namesIn(files, folder)).filter(
    (name) => name.startsWith(nameStart) && /^[a-z0-9_-][a-z0-9._-]*$/.test(name),
  );
  const entries = await Promise.all(
    names.map(async (name) => ({ name, path: join(folder, name), status: await files.linkStatus(join(folder, name)) })),
  );
  // "a/x" comes after "a-b" and before "a0": a folder sorts as its name with the slash.
  const key = (entry: { name: string; status: FileStatus | undefined }): string =>
    entry.status?.isDirectory === true ? `${entry.name}/` : entry.name;
  for (const entry of entries.sort((one, other) => (key(one) < key(other) ? -1 : 1))) {
    if (entry.status?.isDirectory === true) yield* walk(files, entry.path, "", signal);
    else if (entry.status?.isFile === true) yield { path: entry.path, status: entry.status };
  }
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
