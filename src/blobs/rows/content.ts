// A content is the bytes of one or more blobs: parts in order, each a file. Snapshots and copies share
// a content; a file goes when no content and no uncommitted block refers to it any more.

import { scopeOf } from "../../db/transaction.ts";
import { newGuid } from "../../lib/random.ts";
import type { ContentFiles } from "../content/content-files.ts";
import type { Reader, Writer } from "./account.ts";

export interface Part {
  readonly blockId: string;
  readonly file: string;
  readonly length: number;
}

/** SQLite allows 32,766 parameters in a statement. */
const rowsAtOnce = 2000;

export async function insertContent(trx: Writer, parts: readonly Part[]): Promise<string> {
  const contentId = newGuid();
  for (let start = 0; start < parts.length; start += rowsAtOnce) {
    await trx
      .insertInto("blob_parts")
      .values(
        parts.slice(start, start + rowsAtOnce).map((part, index) => ({
          content_id: contentId,
          ordinal: start + index,
          block_id: part.blockId,
          file: part.file,
          length: part.length,
        })),
      )
      .execute();
  }
  return contentId;
}

export async function partsOf(reader: Reader, contentId: string): Promise<Part[]> {
  const rows = await reader
    .selectFrom("blob_parts")
    .selectAll()
    .where("content_id", "=", contentId)
    .orderBy("ordinal")
    .execute();
  return rows.map((row) => ({ blockId: row.block_id, file: row.file, length: row.length }));
}

/** Bytes [offset, offset + length) of a content. */
export async function* readParts(
  files: ContentFiles,
  parts: readonly Part[],
  offset: number,
  length: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const end = offset + length;
  const letGo = files.hold(parts.map(({ file }) => file));
  try {
    let at = 0;
    for (const part of parts) {
      const from = Math.max(offset, at);
      const to = Math.min(end, at + part.length);
      if (from < to) yield* files.read(part.file, from - at, to - from, signal);
      at += part.length;
      if (at >= end) return;
    }
  } finally {
    letGo();
  }
}

/** Forgets contents that no blob has any more, and, once that is durable, their files and `files`. */
export async function releaseContents(
  trx: Writer,
  store: ContentFiles,
  contentIds: readonly string[],
  files: readonly string[] = [],
): Promise<void> {
  const candidates = new Set(files);
  for (const ids of chunks([...new Set(contentIds)])) {
    const used = await trx.selectFrom("blobs").select("content_id").where("content_id", "in", ids).distinct().execute();
    const gone = ids.filter((id) => !used.some((row) => row.content_id === id));
    if (gone.length === 0) continue;
    const parts = await trx.selectFrom("blob_parts").select("file").where("content_id", "in", gone).execute();
    for (const { file } of parts) candidates.add(file);
    await trx.deleteFrom("blob_parts").where("content_id", "in", gone).execute();
    await trx.deleteFrom("blob_page_ranges").where("content_id", "in", gone).execute();
  }
  for (const some of chunks([...candidates])) {
    const kept = await referencedFiles(trx, some);
    for (const file of some) {
      // A file that cannot be removed now is found by the next start's sweep.
      if (!kept.has(file)) scopeOf(trx).afterCommit(() => void store.remove(file).catch(() => {}));
    }
  }
}

export async function referencedFiles(reader: Reader, files: readonly string[]): Promise<ReadonlySet<string>> {
  const kept = new Set<string>();
  for (const some of chunks(files)) {
    for (const table of ["blob_parts", "blob_uncommitted"] as const) {
      const rows = await reader.selectFrom(table).select("file").where("file", "in", some).distinct().execute();
      for (const { file } of rows) kept.add(file);
    }
  }
  return kept;
}

function* chunks(items: readonly string[]): Generator<string[]> {
  for (let start = 0; start < items.length; start += rowsAtOnce) yield items.slice(start, start + rowsAtOnce);
}
