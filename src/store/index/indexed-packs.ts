// What an index object says of its packs, on its way into the blob table. Another thread may do it: it
// is the larger part of opening a vault of millions of blobs.

import { checkEntries } from "../format/pack.ts";
import type { BlobTable } from "./blob-table.ts";

export interface IndexedPacks {
  /** The index object, for messages. */
  readonly name: string;
  /** In which the entries lie. */
  readonly content: ArrayBuffer;
  /** For each pack: its number, its size, where its entries begin, how many bytes they take. */
  readonly packs: Int32Array<ArrayBuffer>;
}

export const indexedPackFields = 4;

/** Fails at the first pack whose entries are impossible; those before it are in the table. */
export function putIndexedPacks(table: BlobTable, { name, content, packs }: IndexedPacks): void {
  for (let index = 0; index < packs.length; index += indexedPackFields) {
    const [number = 0, size = 0, at = 0, length = 0] = packs.subarray(index, index + indexedPackFields);
    const entries = Buffer.from(content, at, length);
    checkEntries(entries, size, name);
    table.putEntries(entries, number);
  }
}
