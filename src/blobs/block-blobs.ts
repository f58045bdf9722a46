// Block blobs: whole in one request, or put together from blocks.

import { scopeOf } from "../db/transaction.ts";
import { isoTime } from "../lib/clock.ts";
import type { ExpectedBytes } from "./content/content-files.ts";
import { blobErrors } from "./errors.ts";
import { guardWrite, type WriteGuard } from "./guard.ts";
import type { BlobAddress } from "./names.ts";
import { findBlob, getBlob, putBlob, type Blob, type BlobSettings } from "./rows/blob.ts";
import { getContainer, type Metadata } from "./rows/container.ts";
import { insertContent, partsOf, releaseContents, type Part } from "./rows/content.ts";
import type { BlobStore } from "./store.ts";

export interface BlobWrite {
  readonly settings: BlobSettings;
  readonly metadata: Metadata;
  readonly guard: WriteGuard;
}

export const largestPut = 5000 * 1024 * 1024;
export const largestBlock = 4000 * 1024 * 1024;
const mostBlocks = 50_000;
const mostUncommitted = 100_000;
const uncommittedDays = 7;

/** The blob is there whole or not at all, whenever the process ends. */
export async function putBlockBlob(
  store: BlobStore,
  address: BlobAddress,
  write: BlobWrite,
  body: AsyncIterable<Uint8Array>,
  expected: ExpectedBytes,
  signal: AbortSignal,
): Promise<{ blob: Blob; md5: Buffer }> {
  // Refused now rather than after gigabytes; looked at again at the end.
  await store.database.transaction((trx) => guardWrite(trx, address, write.guard));
  const { file, length, md5 } = await store.files.write(body, expected, signal);
  try {
    const blob = await store.database.transaction(async (trx) => {
      await guardWrite(trx, address, write.guard);
      const contentId = await insertContent(trx, length === 0 ? [] : [{ blockId: "", file, length }]);
      const settings = { ...write.settings, contentMd5: write.settings.contentMd5 ?? md5.toString("base64") };
      await dropUncommitted(store, trx, address, new Set());
      return putBlob(trx, store.files, address, {
        kind: "BlockBlob",
        contentId,
        size: length,
        settings,
        metadata: write.metadata,
      });
    });
    if (length === 0) await store.files.remove(file);
    return { blob, md5 };
  } catch (error) {
    await store.files.remove(file);
    throw error;
  }
}

export async function putBlock(
  store: BlobStore,
  address: BlobAddress,
  blockId: string,
  guard: WriteGuard,
  body: AsyncIterable<Uint8Array>,
  expected: ExpectedBytes,
  signal: AbortSignal,
): Promise<{ md5: Buffer }> {
  checkBlockId(blockId);
  await store.database.transaction((trx) => guardWrite(trx, address, guard));
  const { file, length, md5 } = await store.files.write(body, expected, signal);
  try {
    if (length === 0) throw blobErrors.InvalidHeaderValue("Content-Length is 0; a block has at least one byte.");
    await store.database.transaction(async (trx) => {
      const current = await guardWrite(trx, address, guard);
      if (current !== undefined && current.kind !== "BlockBlob") throw wrongKind(current);
      const { account, container, name } = address;
      const place = trx
        .selectFrom("blob_uncommitted")
        .where("account", "=", account)
        .where("container", "=", container)
        .where("name", "=", name);
      const known = await place
        .select(({ fn }) => [fn.countAll<number>().as("count"), fn.min("block_id").as("one")])
        .executeTakeFirst();
      if (Number(known?.count ?? 0) >= mostUncommitted)
        throw blobErrors.InvalidBlockList(`The blob has ${mostUncommitted} uncommitted blocks; commit them first.`);
      if (typeof known?.one === "string" && known.one.length !== blockId.length) {
        throw blobErrors.InvalidBlobOrBlock(
          "The specified blob or block content is invalid: all block ids of a blob have the same length.",
        );
      }
      const before = await place.where("block_id", "=", blockId).select("file").executeTakeFirst();
      const row = { account, container, name, block_id: blockId, file, length, created_at: scopeOf(trx).clock.now() };
      await trx
        .insertInto("blob_uncommitted")
        .values(row)
        .onConflict((conflict) => conflict.columns(["account", "container", "name", "block_id"]).doUpdateSet(row))
        .execute();
      if (before !== undefined) await releaseContents(trx, store.files, [], [before.file]);
    });
    return { md5 };
  } catch (error) {
    await store.files.remove(file);
    throw error;
  }
}

export interface BlockChoice {
  readonly from: "Committed" | "Uncommitted" | "Latest";
  readonly id: string;
}

export async function commitBlocks(
  store: BlobStore,
  address: BlobAddress,
  write: BlobWrite,
  list: readonly BlockChoice[],
): Promise<Blob> {
  if (list.length > mostBlocks)
    throw blobErrors.InvalidBlockList(`The list has ${list.length} blocks; the most is ${mostBlocks}.`);
  return store.database.transaction(async (trx) => {
    const current = await guardWrite(trx, address, write.guard);
    const committed = current?.kind === "BlockBlob" ? await partsOf(trx, current.contentId) : [];
    const uncommitted = await uncommittedBlocks(trx, address);
    const byId = (parts: readonly Part[]): Map<string, Part> => new Map(parts.map((part) => [part.blockId, part]));
    const old = byId(committed.filter(({ blockId }) => blockId !== ""));
    const fresh = byId(uncommitted);
    const parts = list.map(({ from, id }) => {
      const part =
        from === "Committed" ? old.get(id) : from === "Uncommitted" ? fresh.get(id) : (fresh.get(id) ?? old.get(id));
      if (part === undefined)
        throw blobErrors.InvalidBlockList(
          `The specified block list is invalid: there is no ${from.toLowerCase()} block '${id.slice(0, 90)}'.`,
        );
      return part;
    });
    const contentId = await insertContent(trx, parts);
    const size = parts.reduce((sum, { length }) => sum + length, 0);
    await dropUncommitted(store, trx, address, new Set(parts.map(({ file }) => file)));
    return putBlob(trx, store.files, address, {
      kind: "BlockBlob",
      contentId,
      size,
      settings: write.settings,
      metadata: write.metadata,
    });
  });
}

export interface BlockLists {
  readonly blob: Blob | undefined;
  readonly committed: readonly Part[];
  readonly uncommitted: readonly Part[];
}

export async function blockLists(store: BlobStore, address: BlobAddress): Promise<BlockLists> {
  const reader = store.database.kysely;
  await getContainer(reader, address);
  const blob = await findBlob(reader, address);
  if (blob !== undefined && blob.kind !== "BlockBlob") throw wrongKind(blob);
  const uncommitted = address.snapshot === undefined ? await uncommittedBlocks(reader, address) : [];
  if (blob === undefined && uncommitted.length === 0) await getBlob(reader, address);
  const committed = blob === undefined ? [] : await partsOf(reader, blob.contentId);
  return { blob, committed: committed.filter(({ blockId }) => blockId !== ""), uncommitted };
}

/** Blocks that nobody committed for a week go. */
export async function forgetOldBlocks(store: BlobStore): Promise<void> {
  await store.database.transaction(async (trx) => {
    const oldest = scopeOf(trx).clock.now() - uncommittedDays * 86_400_000;
    const rows = await trx
      .selectFrom("blob_uncommitted")
      .select("file")
      .where("created_at", "<", oldest)
      .limit(10_000)
      .execute();
    if (rows.length === 0) return;
    const files = rows.map(({ file }) => file);
    for (let start = 0; start < files.length; start += 2000)
      await trx
        .deleteFrom("blob_uncommitted")
        .where("file", "in", files.slice(start, start + 2000))
        .execute();
    await releaseContents(trx, store.files, [], files);
  });
}

type Transaction = Parameters<typeof guardWrite>[0];
type AnyReader = BlobStore["database"]["kysely"];

async function uncommittedBlocks(reader: AnyReader, { account, container, name }: BlobAddress): Promise<Part[]> {
  const rows = await reader
    .selectFrom("blob_uncommitted")
    .selectAll()
    .where("account", "=", account)
    .where("container", "=", container)
    .where("name", "=", name)
    .orderBy("block_id")
    .execute();
  return rows.map((row) => ({ blockId: row.block_id, file: row.file, length: row.length }));
}

async function dropUncommitted(
  store: BlobStore,
  trx: Transaction,
  address: BlobAddress,
  keep: ReadonlySet<string>,
): Promise<void> {
  const blocks = await uncommittedBlocks(trx, address);
  if (blocks.length === 0) return;
  await trx
    .deleteFrom("blob_uncommitted")
    .where("account", "=", address.account)
    .where("container", "=", address.container)
    .where("name", "=", address.name)
    .execute();
  const files = blocks.map(({ file }) => file).filter((file) => !keep.has(file));
  await releaseContents(trx, store.files, [], files);
}

function checkBlockId(blockId: string): void {
  const bytes = Buffer.from(blockId, "base64");
  if (bytes.length >= 1 && bytes.length <= 64 && bytes.toString("base64") === blockId) return;
  throw blobErrors.InvalidQueryParameterValue(`blockid '${blockId.slice(0, 100)}' is not base64 of 1 to 64 bytes.`);
}

export function wrongKind(blob: Blob): Error {
  return blobErrors.InvalidBlobType(
    `The blob type is invalid for this operation: '${blob.name}' is a ${blob.kind} (seen at ${isoTime(blob.changedAt)}).`,
  );
}
