// What an index object says of its packs, on its way into the blob table. Other threads do both parts,
// since they are most of what opening a vault of millions of blobs costs; the thread that knows which
// packs are there stands between them.

import { outlineIndex } from "../format/index-object.ts";
import { checkEntries, entryLength } from "../format/pack.ts";
import { headerLength } from "../format/sealed.ts";
import { entriesAtOnce, storedLengthAt, type BlobTable, type EntryBatch } from "./blob-table.ts";

/** An index object that was opened. */
export interface OpenedIndex {
  readonly content: Uint8Array<ArrayBuffer>;
  /** For each pack: where its description begins in the content, how many bytes its entries take. */
  readonly outline: Int32Array<ArrayBuffer>;
}

export const outlineFields = 2;

export function outlinePacks(content: Uint8Array<ArrayBuffer>, name: string): OpenedIndex {
  const fields: number[] = [];
  outlineIndex(content, name, { pack: (at, entriesLength) => void fields.push(at, entriesLength) });
  return { content, outline: Int32Array.from(fields) };
}

export interface IndexedPacks {
  /** The index object, for messages. */
  readonly name: string;
  /** In which the entries lie. */
  readonly content: Uint8Array<ArrayBuffer>;
  /** For each pack: its number, its size, where its entries begin, how many bytes they take. */
  readonly packs: Int32Array<ArrayBuffer>;
}

export const indexedPackFields = 4;

/** Fails at the first pack whose entries are impossible; those before it are in the table. */
export function putIndexedPacks(table: BlobTable, { name, content, packs }: IndexedPacks): void {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  let filled = 0;
  const flush = (): void => {
    table.putEntries(view, batch, filled);
    filled = 0;
  };
  for (let index = 0; index < packs.length; index += indexedPackFields) {
    const number = packs[index] ?? 0;
    const from = packs[index + 2] ?? 0;
    const to = from + (packs[index + 3] ?? 0);
    try {
      checkEntries(bytes, from, to, packs[index + 1] ?? 0, name);
    } catch (error) {
      flush();
      throw error;
    }
    let offset = headerLength;
    for (let at = from; at < to; at += entryLength) {
      batch.at[filled] = at;
      batch.pack[filled] = number;
      batch.offset[filled] = offset;
      offset += storedLengthAt(view, at);
      filled += 1;
      if (filled === entriesAtOnce) flush();
    }
  }
  flush();
}

const batch: EntryBatch = {
  at: new Int32Array(entriesAtOnce),
  pack: new Int32Array(entriesAtOnce),
  offset: new Int32Array(entriesAtOnce),
};
