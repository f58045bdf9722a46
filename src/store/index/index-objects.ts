// The index objects of a vault, on their way into the blob table: which of them are in it, and which
// packs they name that are not there.

import type { ObjectStore } from "../backends/object-store.ts";
import { indexedPackLength, packFields } from "../format/index-object.ts";
import { idLength, maxIndexSize, objectKinds } from "../format/layout.ts";
import { indexName } from "../format/object-names.ts";
import { entryLength } from "../format/pack.ts";
import { unseal } from "../format/sealed.ts";
import type { VaultKeys } from "../keys/vault-keys.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { ownMemory } from "../../lib/memory.ts";
import { eachInParallel } from "../../lib/parallel.ts";
import type { BlobTable } from "./blob-table.ts";
import type { CurrentTable } from "./current-table.ts";
import {
  indexedPackFields,
  outlineFields,
  outlinePacks,
  putIndexedPacks,
  type IndexedPacks,
  type OpenedIndex,
} from "./indexed-packs.ts";
import type { PackRegistry } from "./pack-registry.ts";
import type { PackStates } from "./pack-states.ts";

/** Threads for large indexes. They take the memory that they are given. */
export interface IndexThreads {
  /** Opens an index object and outlines it. */
  open(name: string, sealed: Uint8Array<ArrayBuffer>): Promise<OpenedIndex>;
  /** Like `putIndexedPacks`. */
  put(table: BlobTable, packs: IndexedPacks): Promise<void>;
}

export interface KnownPacks {
  readonly registry: PackRegistry;
  readonly states: PackStates;
}

/** Room for what a small backup adds, so that the table need not grow a moment after it was made. */
const spareBlobs = 8192;
/** Index objects of so many bytes are worth the start of other threads: about 100,000 blobs. */
const worthThreads = 4 * 1024 * 1024;

export class IndexObjects {
  readonly #store: ObjectStore;
  readonly #keys: VaultKeys;
  readonly #packs: KnownPacks;
  readonly #table: CurrentTable;
  readonly #otherThreads: IndexThreads;
  #loaded = new Set<string>();
  #lost = new Set<string>();

  constructor(store: ObjectStore, keys: VaultKeys, packs: KnownPacks, table: CurrentTable, threads: IndexThreads) {
    this.#store = store;
    this.#keys = keys;
    this.#packs = packs;
    this.#table = table;
    this.#otherThreads = threads;
  }

  /** Packs that an index object names and that are not there. */
  get lost(): ReadonlySet<string> {
    return this.#lost;
  }

  /** One that this process wrote itself: its packs are known already. */
  note(hash: string): void {
    this.#loaded.add(hash);
  }

  /** When one is gone, the packs that it named are asked for again: others name those that are left. */
  compare(listed: ReadonlyMap<string, number>): void {
    if ([...this.#loaded].some((hash) => !listed.has(hash))) this.forget();
    if (this.#loaded.size === 0) this.#lost = new Set();
  }

  /** They have to be loaded again. */
  forget(): void {
    this.#loaded = new Set();
  }

  /** Loads those that are not loaded yet: `listed` has sizes by hash. What cannot be read is told. */
  async load(
    listed: ReadonlyMap<string, number>,
    tellProblem: (object: string, error: unknown) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    const fresh = [...listed].filter(([hash]) => !this.#loaded.has(hash));
    const bytes = bytesOf(fresh);
    const needed = Math.ceil(Math.max(0, bytes - this.#undescribed() * indexedPackLength) / entryLength) + 64;
    if (this.#table.blobs.room < needed) await this.#table.ensureRoom(needed + spareBlobs);
    const threads = bytes < worthThreads ? thisThread(this.#keys) : this.#otherThreads;
    for (let left = fresh; left.length > 0;) {
      const again: [string, number][] = [];
      await eachInParallel(left, 4, async ([hash, size]) => {
        const name = indexName(hash);
        try {
          if (await this.#loadOne(name, threads, signal)) this.#loaded.add(hash);
          else again.push([hash, size]);
        } catch (error) {
          tellProblem(name, error);
        }
      });
      left = again;
      // More than was reckoned with, when packs are known that no index names.
      await this.#table.ensureRoom(Math.ceil(bytesOf(again) / entryLength));
    }
  }

  #undescribed(): number {
    const { registry, states } = this.#packs;
    let count = 0;
    for (const number of states.present()) if (!registry.isDescribed(number)) count += 1;
    return count;
  }

  /** False when it has to be repeated: the table was full, or another one took its place meanwhile. */
  async #loadOne(name: string, threads: IndexThreads, signal?: AbortSignal): Promise<boolean> {
    const sealed = await this.#store.get(name, { signal });
    const { content, outline } = await threads.open(name, ownMemory(sealed));
    const packs = this.#packsToPut(content, outline);
    const table = this.#table.blobs;
    try {
      await threads.put(table, { name, content, packs });
      if (this.#table.blobs === table) return true;
      this.#setEntries(packs, false);
      return false;
    } catch (error) {
      this.#setEntries(packs, false);
      if (isErrorCode(error, "IndexFull")) return false;
      throw error;
    }
  }

  /** The packs that are there and not in the table yet; they count as known from now on. */
  #packsToPut(content: Uint8Array, outline: Int32Array): Int32Array<ArrayBuffer> {
    const { registry, states } = this.#packs;
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    const fields = new Int32Array((outline.length / outlineFields) * indexedPackFields);
    let filled = 0;
    for (let index = 0; index < outline.length; index += outlineFields) {
      const at = outline[index] ?? 0;
      const number = registry.numberAt(view, at);
      if (number === undefined || !states.isPresent(number)) {
        this.#lost.add(Buffer.from(content.buffer, content.byteOffset + at, idLength).toString("hex"));
        continue;
      }
      if (!registry.isDescribed(number)) {
        registry.describe(number, view.getUint32(at + packFields.epoch, true), content, at + packFields.salt);
      }
      if (states.hasEntries(number)) continue;
      states.setEntries(number, true);
      fields[filled] = number;
      fields[filled + 1] = view.getUint32(at + packFields.size, true);
      fields[filled + 2] = at + indexedPackLength;
      fields[filled + 3] = outline[index + 1] ?? 0;
      filled += indexedPackFields;
    }
    return fields.slice(0, filled);
  }

  #setEntries(packs: Int32Array, are: boolean): void {
    for (let at = 0; at < packs.length; at += indexedPackFields) this.#packs.states.setEntries(packs[at] ?? 0, are);
  }
}

const thisThread = (keys: VaultKeys): IndexThreads => ({
  open: async (name, sealed) =>
    outlinePacks(ownMemory(unseal(keys, objectKinds.index, "", sealed, maxIndexSize, name)), name),
  put: async (table, packs) => putIndexedPacks(table, packs),
});

const bytesOf = (indexes: readonly (readonly [hash: string, size: number])[]): number =>
  indexes.reduce((sum, [, size]) => sum + size, 0);
