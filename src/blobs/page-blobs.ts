// Page blobs: a sparse file that is written in place. A snapshot or a copy shares the content; the
// first write after that goes to a file of its own, which is made under the blob's lock.

import { blobErrors } from "./errors.ts";
import { guardChange, guardWrite, type WriteGuard } from "./guard.ts";
import { wrongKind, type BlobWrite } from "./block-blobs.ts";
import { type BlobAddress, lockKey } from "./names.ts";
import { changeBlob, putBlob, type Blob, type BlobSettings } from "./rows/blob.ts";
import { insertContent, partsOf, readParts } from "./rows/content.ts";
import { copyRanges, markCleared, markWritten, pageBytes, pageRanges } from "./page-ranges.ts";
import type { BlobStore } from "./store.ts";
import type { PageRange } from "./virtual.ts";

const largestPageBlob = 8 * 1024 ** 4;
export const largestPageWrite = 4 * 1024 * 1024;

export async function createPageBlob(
  store: BlobStore,
  address: BlobAddress,
  size: number,
  write: BlobWrite,
): Promise<Blob> {
  checkSize(size);
  await store.database.transaction((trx) => guardWrite(trx, address, write.guard));
  const file = await store.files.createSparse(size);
  try {
    return await store.database.transaction(async (trx) => {
      await guardWrite(trx, address, write.guard);
      const contentId = await insertContent(trx, [{ blockId: "", file, length: size }]);
      const settings = { ...write.settings, sequenceNumber: write.settings.sequenceNumber ?? 0 };
      return putBlob(trx, store.files, address, {
        kind: "PageBlob",
        contentId,
        size,
        settings,
        metadata: write.metadata,
      });
    });
  } catch (error) {
    await store.files.remove(file);
    throw error;
  }
}

export interface SequenceConditions {
  readonly atMost?: number;
  readonly below?: number;
  readonly equal?: number;
}

/** `bytes` of exactly that range, or undefined to clear it. Durable when it returns. */
export async function writePages(
  store: BlobStore,
  address: BlobAddress,
  range: PageRange,
  bytes: Uint8Array | undefined,
  guard: WriteGuard,
  sequence: SequenceConditions = {},
): Promise<Blob> {
  return store.pageLock.run(lockKey(address), async () => {
    const before = await store.database.transaction(async (trx) => pageBlobOf(await guardChange(trx, address, guard)));
    checkSequence(before.settings.sequenceNumber ?? 0, sequence);
    if (range.end > before.size)
      throw blobErrors.InvalidPageRange(
        `The page range ${range.start}-${range.end - 1} ends behind the blob of ${before.size} bytes.`,
      );
    const blob = await withOwnContent(store, before);
    const [part] = await partsOf(store.database.kysely, blob.contentId);
    if (part === undefined) throw blobErrors.InternalError(`The page blob '${address.name}' has no content.`);
    const zeroed =
      bytes === undefined ? await pageRanges(store.database.kysely, blob.contentId, range.start, range.end) : [];
    await store.files.change(part.file, async (open) => {
      if (bytes !== undefined) await open.write(bytes, range.start);
      for (const { start, end } of zeroed) {
        for (let at = start; at < end; at += largestPageWrite)
          await open.write(Buffer.alloc(Math.min(largestPageWrite, end - at)), at);
      }
      await open.sync();
    });
    return store.database.transaction(async (trx) => {
      const current = await guardChange(trx, address, { ...guard, conditions: {} });
      if (current.contentId !== blob.contentId)
        throw blobErrors.ConditionNotMet("The blob was replaced during the write.");
      await (bytes === undefined ? markCleared : markWritten)(trx, blob.contentId, range);
      return changeBlob(trx, current, { touched: true });
    });
  });
}

export type SequenceChange =
  | { readonly action: "max" | "update"; readonly to: number }
  | { readonly action: "increment" };

export async function changePageBlob(
  store: BlobStore,
  address: BlobAddress,
  change: { size?: number; sequence?: SequenceChange; settings?: BlobSettings },
  guard: WriteGuard,
): Promise<Blob> {
  if (change.size !== undefined) checkSize(change.size);
  return store.pageLock.run(lockKey(address), async () => {
    const before = await store.database.transaction(async (trx) => pageBlobOf(await guardChange(trx, address, guard)));
    const size = change.size ?? before.size;
    const blob = size === before.size ? before : await withOwnContent(store, before);
    if (size !== before.size) {
      for (const { file } of await partsOf(store.database.kysely, blob.contentId)) {
        await store.files.change(file, async (open) => {
          await open.truncate(size);
          await open.sync();
        });
      }
    }
    return store.database.transaction(async (trx) => {
      const current = await guardChange(trx, address, { ...guard, conditions: {} });
      if (size !== current.size) {
        await trx.updateTable("blob_parts").set({ length: size }).where("content_id", "=", blob.contentId).execute();
        if (size < current.size) await markCleared(trx, blob.contentId, { start: size, end: current.size });
      }
      const sequenceNumber = nextSequence(current.settings.sequenceNumber ?? 0, change.sequence);
      return changeBlob(trx, current, { size, settings: { ...current.settings, ...change.settings, sequenceNumber } });
    });
  });
}

/** Where two page blobs of one size differ, found by looking at their bytes; `cleared` holds zeros now. */
export async function differingPages(
  store: BlobStore,
  now: Blob,
  before: Blob,
  window: PageRange,
  signal: AbortSignal,
): Promise<{ changed: PageRange[]; cleared: PageRange[] }> {
  const reader = store.database.kysely;
  const ours = await pageRanges(reader, now.contentId, window.start, window.end);
  if (now.contentId === before.contentId) return { changed: [], cleared: [] };
  const theirs = await pageRanges(reader, before.contentId, window.start, window.end);
  const changed: PageRange[] = [];
  for (const { start, end } of ours) {
    const left = readParts(store.files, await partsOf(reader, now.contentId), start, end - start, signal);
    const rightEnd = Math.min(end, before.size);
    const right = byteSource(
      readParts(store.files, await partsOf(reader, before.contentId), start, Math.max(0, rightEnd - start), signal),
    );
    let at = start;
    for await (const piece of left) {
      const other = await right(piece.length);
      for (let offset = 0; offset < piece.length; offset += pageBytes) {
        const page = piece.subarray(offset, offset + pageBytes);
        const isNew = !theirs.some((range) => range.start <= at + offset && at + offset < range.end);
        if (isNew || !other.subarray(offset, offset + pageBytes).equals(page))
          join(changed, at + offset, at + offset + page.length);
      }
      at += piece.length;
    }
  }
  const cleared: PageRange[] = [];
  for (const { start, end } of theirs) {
    for (let at = start; at < end; at += pageBytes) {
      if (!ours.some((range) => range.start <= at && at < range.end)) join(cleared, at, at + pageBytes);
    }
  }
  return { changed, cleared };
}

/** The same blob over a content that no other blob has. */
async function withOwnContent(store: BlobStore, blob: Blob): Promise<Blob> {
  const { kysely } = store.database;
  const sharers = await kysely
    .selectFrom("blobs")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("content_id", "=", blob.contentId)
    .executeTakeFirst();
  if (Number(sharers?.count ?? 0) < 2) return blob;
  const parts = await partsOf(kysely, blob.contentId);
  const file = await store.files.createSparse(blob.size);
  await store.files.change(file, async (open) => {
    for (const { start, end } of await pageRanges(kysely, blob.contentId, 0, blob.size)) {
      let at = start;
      for await (const piece of readParts(store.files, parts, start, end - start)) {
        await open.write(piece, at);
        at += piece.length;
      }
    }
    await open.sync();
  });
  return store.database.transaction(async (trx) => {
    const contentId = await insertContent(trx, [{ blockId: "", file, length: blob.size }]);
    await copyRanges(trx, blob.contentId, contentId, blob.size);
    await trx
      .updateTable("blobs")
      .set({ content_id: contentId })
      .where("account", "=", blob.account)
      .where("container", "=", blob.container)
      .where("name", "=", blob.name)
      .where("snapshot", "=", "~")
      .execute();
    return { ...blob, contentId };
  });
}

function pageBlobOf(blob: Blob): Blob {
  if (blob.kind !== "PageBlob") throw wrongKind(blob);
  return blob;
}

function checkSize(size: number): void {
  if (Number.isSafeInteger(size) && size >= 0 && size % pageBytes === 0 && size <= largestPageBlob) return;
  throw blobErrors.InvalidHeaderValue(
    `x-ms-blob-content-length is ${size}; it is a multiple of ${pageBytes} of at most 8 TiB.`,
  );
}

function checkSequence(current: number, { atMost, below, equal }: SequenceConditions): void {
  const isMet =
    (atMost === undefined || current <= atMost) &&
    (below === undefined || current < below) &&
    (equal === undefined || current === equal);
  if (!isMet)
    throw blobErrors.SequenceNumberConditionNotMet(
      `The sequence number condition specified was not met: it is ${current}.`,
    );
}

function nextSequence(current: number, change: SequenceChange | undefined): number {
  switch (change?.action) {
    case undefined:
      return current;
    case "increment":
      return current + 1;
    case "max":
      return Math.max(current, change.to);
    case "update":
      return change.to;
  }
}

function join(ranges: PageRange[], start: number, end: number): void {
  const last = ranges.at(-1);
  if (last?.end === start) ranges[ranges.length - 1] = { start: last.start, end };
  else ranges.push({ start, end });
}

/** Takes as many bytes as asked for; behind the end there are zeros. */
function byteSource(pieces: AsyncGenerator<Uint8Array>): (length: number) => Promise<Buffer> {
  let held = Buffer.alloc(0);
  return async (length) => {
    while (held.length < length) {
      const next = await pieces.next();
      held = Buffer.concat([held, next.done === true ? Buffer.alloc(length - held.length) : next.value]);
    }
    const taken = held.subarray(0, length);
    held = held.subarray(length);
    return taken;
  };
}
