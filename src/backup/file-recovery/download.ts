// What a client takes out of a recovery point: one file as it is, or a folder as an archive.

import type { Entry } from "./entries.ts";
import { fileRecoveryErrors } from "./errors.ts";
import type { HelperSession } from "./helper-session.ts";
import { tarArchive } from "./tar.ts";
import { zipArchive } from "./zip.ts";

export const downloadFormats = ["file", "zip", "tar"] as const;
export type DownloadFormat = (typeof downloadFormats)[number];

export interface Download {
  readonly fileName: string;
  readonly contentType: string;
  /** Known for single files only. */
  readonly sizeBytes: number | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

/** As deep as a path can be. */
const anyDepth = 4096;
const mostEntries = 500_000;

export async function download(
  session: HelperSession,
  path: string,
  format: DownloadFormat,
  signal?: AbortSignal,
): Promise<Download> {
  const name = path.split("/").at(-1) ?? path;
  if (format === "file") {
    const [entry] = await session.list(path, 0, signal);
    if (entry?.kind !== "file") throw fileRecoveryErrors.NotAFile(`${path} is not a plain file.`);
    const body = session.read(path, 0, entry.sizeBytes, signal);
    return { fileName: name, contentType: "application/octet-stream", sizeBytes: entry.sizeBytes, body };
  }
  const entries = await session.list(path, anyDepth, signal);
  if (entries.length > mostEntries)
    throw fileRecoveryErrors.FolderTooLarge(
      `${path} holds ${entries.length} entries; ${mostEntries} fit into an archive.`,
    );
  // Asked for by the name below the folder, or, for a single file, by the path itself.
  const read = (entry: Entry): AsyncIterable<Uint8Array> =>
    session.read(entry.path === "" ? path : `${path}/${entry.path}`, 0, entry.sizeBytes, signal);
  const isOne = entries.length === 1 && entries[0]?.path === "";
  const named = isOne ? entries.map((entry) => ({ ...entry, path: name, rawPath: Buffer.from(name) })) : entries;
  const body = (format === "tar" ? tarArchive : zipArchive)(named, (entry) =>
    read(isOne ? { ...entry, path: "" } : entry),
  );
  const contentType = format === "tar" ? "application/x-tar" : "application/zip";
  return { fileName: `${name}.${format}`, contentType, sizeBytes: undefined, body };
}
