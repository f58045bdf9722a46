// Copies. A stored blob is copied by sharing its content, at once and whatever its size; a virtual one
// by reading it.

import { scopeOf } from "../db/transaction.ts";
import { newGuid } from "../lib/random.ts";
import { largestPut, type BlobWrite } from "./block-blobs.ts";
import { guardWrite } from "./guard.ts";
import { type BlobAddress, lockKey } from "./names.ts";
import { getBlob, putBlob, type Blob, type BlobKind, type CopyRecord } from "./rows/blob.ts";
import { insertContent, partsOf, readParts, type Part } from "./rows/content.ts";
import { markWritten } from "./page-ranges.ts";
import type { BlobStore } from "./store.ts";
import type { VirtualBlob } from "./virtual.ts";

export type Source = { readonly stored: Blob } | { readonly virtual: VirtualBlob };

export async function openSource(store: BlobStore, address: BlobAddress): Promise<Source> {
  const virtual = store.virtual.find(address);
  return virtual === undefined ? { stored: await getBlob(store.database.kysely, address) } : { virtual };
}

export function sourceSize(source: Source): number {
  return "stored" in source ? source.stored.size : source.virtual.size;
}

export async function* readSource(
  store: BlobStore,
  source: Source,
  offset: number,
  length: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if ("virtual" in source) yield* source.virtual.read(offset, length, signal);
  else
    yield* readParts(
      store.files,
      await partsOf(store.database.kysely, source.stored.contentId),
      offset,
      length,
      signal,
    );
}

/** `kind`: what the copy is to be; like its source if absent. */
export async function copyBlob(
  store: BlobStore,
  from: BlobAddress,
  to: BlobAddress,
  write: BlobWrite,
  sourceUrl: string,
  kind: BlobKind | undefined,
  signal: AbortSignal,
): Promise<{ blob: Blob; copy: CopyRecord }> {
  return store.pageLock.run(lockKey(from), async () => {
    const source = await openSource(store, from);
    const size = sourceSize(source);
    const read = "virtual" in source ? await keep(store, source.virtual, signal) : undefined;
    try {
      return await store.database.transaction(async (trx) => {
        await guardWrite(trx, to, write.guard);
        const copy: CopyRecord = {
          id: newGuid(),
          source: sourceUrl,
          status: "success",
          completedAt: scopeOf(trx).clock.now(),
          bytes: size,
        };
        if ("virtual" in source) {
          const contentId = await insertContent(trx, read ?? []);
          if (size > 0) await markWritten(trx, contentId, { start: 0, end: size });
          const settings = { contentType: source.virtual.contentType, ...write.settings, sequenceNumber: 0, copy };
          return {
            copy,
            blob: await putBlob(trx, store.files, to, {
              kind: kind ?? "PageBlob",
              contentId,
              size,
              settings,
              metadata: write.metadata,
            }),
          };
        }
        const { stored } = source;
        const metadata = Object.keys(write.metadata).length === 0 ? stored.metadata : write.metadata;
        const settings = { ...stored.settings, ...write.settings, copy };
        return {
          copy,
          blob: await putBlob(trx, store.files, to, {
            kind: kind ?? stored.kind,
            contentId: stored.contentId,
            size,
            settings,
            metadata,
          }),
        };
      });
    } catch (error) {
      for (const { file } of read ?? []) await store.files.remove(file);
      throw error;
    }
  });
}

async function keep(store: BlobStore, source: VirtualBlob, signal: AbortSignal): Promise<Part[]> {
  const limit = Math.max(largestPut, source.size);
  const { file, length } = await store.files.write(
    source.read(0, source.size, signal),
    { limit, length: source.size },
    signal,
  );
  return [{ blockId: "", file, length }];
}
