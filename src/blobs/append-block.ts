// Appends to a block blob, for what grows: a block more, behind those that are there.

import { blockLists, commitBlocks, largestBlock, putBlock, wrongKind } from "./block-blobs.ts";
import { unguarded } from "./guard.ts";
import { isErrorCode } from "../lib/errors.ts";
import type { BlobAddress } from "./names.ts";
import { findBlob } from "./rows/blob.ts";
import type { BlobStore } from "./store.ts";

export interface AppendedBlock {
  /** Base64, as long as every other one of the blob. A block that the blob has already is not appended again. */
  readonly id: string;
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

const attempts = 5;

/** The blob is made when it is not there. Others may append at the same time. */
export async function appendBlock(
  store: BlobStore,
  address: BlobAddress,
  { id, contentType, bytes }: AppendedBlock,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const blob = await findBlob(store.database.kysely, address);
    if (blob !== undefined && blob.kind !== "BlockBlob") throw wrongKind(blob);
    const committed = blob === undefined ? [] : (await blockLists(store, address)).committed;
    if (committed.some(({ blockId }) => blockId === id)) return;
    const conditions = blob === undefined ? { ifNoneMatch: "*" } : { ifMatch: blob.etag };
    const kept = committed.map(({ blockId }) => ({ from: "Committed" as const, id: blockId }));
    try {
      await putBlock(store, address, id, unguarded, once(bytes), { limit: largestBlock }, signal);
      await commitBlocks(store, address, { settings: { contentType }, metadata: {}, guard: { conditions } }, [
        ...kept,
        { from: "Latest", id },
      ]);
      return;
    } catch (error) {
      const lostRace = ["ConditionNotMet", "BlobAlreadyExists", "InvalidBlockList"];
      if (attempt >= attempts || !lostRace.some((code) => isErrorCode(error, code))) throw error;
    }
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
