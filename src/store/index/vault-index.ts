// The index of an open vault: which packs are there, and where every blob is. It is derived: lost
// index objects are replaced by the packs' own directories.

import type { ObjectStore } from "../backends/object-store.ts";
import { condemnedPacks, doomedPacks, readCollectionRecords } from "../collect/records.ts";
import { indexedPackLength, outlineIndex, packFields, type IndexedPackEntries } from "../format/index-object.ts";
import { idLength, maxIndexSize, objectKinds } from "../format/layout.ts";
import { hashOfName, indexName, prefixes } from "../format/object-names.ts";
import { entryLength } from "../format/pack.ts";
import { unseal } from "../format/sealed.ts";
import type { VaultKeys } from "../keys/vault-keys.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { ownMemory } from "../../lib/memory.ts";
import { isDamage } from "../damage.ts";
import { eachInParallel } from "../../lib/parallel.ts";
import type { FinishedPack } from "../pipeline/pack-builder.ts";
import { BlobTable, ownPackState, packStates, rankOf, type BlobLocation } from "./blob-table.ts";
import { indexedPackFields, putIndexedPacks, type IndexedPacks } from "./indexed-packs.ts";
import { readPackDirectory } from "./pack-directory.ts";
import { PackRegistry, type PackRecord } from "./pack-registry.ts";

export interface IndexProblem {
  readonly object: string;
  readonly message: string;
}

export interface IndexHooks {
  /** Called before each reading of the store. */
  beforeReading(signal?: AbortSignal): Promise<void>;
  /** Told, and waited for, whenever another table takes the place of the present one. */
  onTable(table: BlobTable): Promise<void>;
  readonly threads: IndexThreads;
}

/** Other threads, for large indexes. They take the memory that they are given. */
export interface IndexThreads {
  /** Opens an index object. */
  unseal(name: string, sealed: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** Like `putIndexedPacks`. */
  put(table: BlobTable, packs: IndexedPacks): Promise<void>;
}

const parallelReads = 8;
/** Room for what a small backup adds, so that the table need not grow a moment after it was made. */
const spareBlobs = 8192;
/** Index objects of so many bytes are worth the start of other threads: about 100,000 blobs. */
const worthThreads = 4 * 1024 * 1024;

export class VaultIndex {
  readonly #store: ObjectStore;
  readonly #keys: VaultKeys;
  readonly #packs = new PackRegistry();
  readonly #hooks: IndexHooks;
  /** By the pack's number: what the last reading said of it; undefined while a session builds it. */
  #states: (number | undefined)[] = [];
  #loaded = new Set<string>();
  /** By the pack's number: whether its entries are in the table. */
  #hasEntries: boolean[] = [];
  #problems: IndexProblem[] = [];
  #isWhole = true;
  #lost = new Set<string>();
  /** Packs that became durable here while the store was being listed. */
  #justAdded: number[] = [];
  #refreshing: Promise<void> | undefined;
  table = BlobTable.create(1024);

  constructor(store: ObjectStore, keys: VaultKeys, hooks: IndexHooks) {
    this.#store = store;
    this.#keys = keys;
    this.#hooks = hooks;
  }

  /** Index objects and packs that could not be read at the last refresh. */
  get problems(): readonly IndexProblem[] {
    return this.#problems;
  }

  /** Whether every pack that an index object names is there and good, as far as is known. */
  get isWhole(): boolean {
    return this.#isWhole && this.#lost.size === 0;
  }

  /** Packs that an index object names and that are not there. */
  get lost(): ReadonlySet<string> {
    return this.#lost;
  }

  /** Names and sizes of the packs that were there at the last refresh. */
  *present(): Generator<readonly [hash: string, size: number]> {
    for (const number of this.#presentNumbers()) yield [this.#packs.hashOf(number), this.#packs.sizeOf(number)];
  }

  /** Undefined when it was not there at the last refresh. */
  presentSize(hash: string): number | undefined {
    const number = this.#packs.numberOf(hash);
    return number !== undefined && this.#isPresent(number) ? this.#packs.sizeOf(number) : undefined;
  }

  get isEmpty(): boolean {
    return this.#presentNumbers().next().done === true;
  }

  pack(number: number): PackRecord | undefined {
    return this.#packs.record(number);
  }

  /** Undefined when neither an index object nor the pack itself has told what is in it. */
  packNumber(hash: string): number | undefined {
    const number = this.#packs.numberOf(hash);
    return number !== undefined && this.#packs.isDescribed(number) ? number : undefined;
  }

  find(id: Buffer): BlobLocation | undefined {
    const slot = this.table.find(id);
    if (slot < 0) return undefined;
    const location = this.table.location(slot);
    return this.table.packState(location.pack) === packStates.absent ? undefined : location;
  }

  /** Reads what is new in the store, one reading after the other. */
  async refresh(signal?: AbortSignal): Promise<void> {
    while (this.#refreshing !== undefined) await this.#refreshing.catch(() => {});
    const reading = this.#read(signal);
    this.#refreshing = reading;
    try {
      await reading;
    } finally {
      this.#refreshing = undefined;
    }
  }

  /** Makes room for that many more blobs. What a worker records while the table grows may be lost until its pack is added. */
  async ensureRoom(blobs: number): Promise<void> {
    if (this.table.room >= blobs) return;
    await this.#replaceTable(this.table.grownTo(this.table.count + blobs + this.table.count / 4));
  }

  /** The number of a pack that a session begins to build. */
  startPack(session: number): number {
    const number = this.#packs.begin();
    this.#states[number] = undefined;
    this.#hasEntries[number] = false;
    this.table.setPackState(number, ownPackState(session));
    return number;
  }

  /** The pack is durable: everybody may rely on it. */
  addPack(number: number, pack: FinishedPack): void {
    const noted = this.#packs.numberOf(pack.hash);
    if (noted !== undefined) this.#setState(noted, packStates.absent); // a reading was faster than we
    this.#packs.name(number, pack.hash, pack.size);
    this.#packs.describe(number, pack.epoch, pack.salt);
    this.#justAdded.push(number);
    this.#hasEntries[number] = true;
    this.#setState(number, packStates.usable);
    this.#putAll(number, pack);
  }

  /** An index object that this process wrote itself: its packs are known already. */
  noteIndex(hash: string): void {
    this.#loaded.add(hash);
  }

  /** The pack was not stored, or is bad: its blobs count as absent for new points. */
  dropPack(number: number, readable = false): void {
    if (readable) this.#isWhole = false;
    this.table.setPackState(number, readable ? packStates.readOnly : packStates.absent);
  }

  async #read(signal?: AbortSignal): Promise<void> {
    await this.#hooks.beforeReading(signal);
    this.#justAdded = [];
    // Doomed packs are listed before packs: a pack that is deleted meanwhile is then seen as doomed.
    const records = await readCollectionRecords(this.#store, this.#keys, signal);
    const suspect = doomedPacks(records);
    for (const hash of (await this.#listHashes(prefixes.quarantine, signal)).keys()) suspect.add(hash);
    const listed = await this.#listPacks(signal);
    const indexes = await this.#listHashes(prefixes.index, signal);
    const states = this.#statesOf(listed.concat(this.#justAdded), condemnedPacks(records).keys(), suspect);
    this.#problems = [];
    if ([...this.#loaded].some((hash) => !indexes.has(hash))) this.#loaded = new Set();
    if (this.#loaded.size === 0) this.#lost = new Set();
    this.#isWhole = suspect.size === 0;
    const hasLost = this.#hasLost(states);
    states.forEach((state, number) => {
      if (state !== undefined) this.#setState(number, state);
    });
    if (hasLost) await this.#forget();
    await this.#loadIndexes(indexes, signal);
    await this.#loadDirectories(signal);
  }

  #statesOf(
    present: readonly number[],
    condemned: Iterable<string>,
    suspect: Iterable<string>,
  ): (number | undefined)[] {
    const states: (number | undefined)[] = this.#states.map((state) =>
      state === undefined ? undefined : packStates.absent,
    );
    while (states.length < this.#packs.count) states.push(packStates.absent);
    for (const number of present) states[this.#packs.current(number)] = packStates.usable;
    const mark = (hashes: Iterable<string>, state: number): void => {
      for (const hash of hashes) {
        const number = this.#packs.numberOf(hash);
        if (number !== undefined && states[number] === packStates.usable) states[number] = state;
      }
    };
    mark(suspect, packStates.readOnly);
    mark(condemned, packStates.condemned);
    return states;
  }

  #setState(number: number, state: number): void {
    this.#states[number] = state;
    this.table.setPackState(number, state);
  }

  *#presentNumbers(): Generator<number> {
    for (let number = 0; number < this.#states.length; number += 1) {
      if (this.#isPresent(number)) yield number;
    }
  }

  #isPresent(number: number): boolean {
    return (this.#states[number] ?? packStates.absent) !== packStates.absent;
  }

  /** A blob may have another copy that was passed over while this one was better: then read all again. */
  #hasLost(states: readonly (number | undefined)[]): boolean {
    return states.some(
      (state, number) =>
        state !== undefined &&
        this.#hasEntries[number] === true &&
        rankOf(state) < rankOf(this.table.packState(number)),
    );
  }

  async #forget(): Promise<void> {
    this.#loaded = new Set();
    this.#hasEntries.fill(false);
    await this.#replaceTable(BlobTable.create(this.table.count + 1024, this.table.shared.packs));
  }

  async #loadIndexes(indexes: ReadonlyMap<string, number>, signal?: AbortSignal): Promise<void> {
    const fresh = [...indexes].filter(([hash]) => !this.#loaded.has(hash));
    const bytes = fresh.reduce((sum, [, size]) => sum + size, 0);
    let unknownPacks = 0;
    for (const number of this.#presentNumbers()) if (!this.#packs.isDescribed(number)) unknownPacks += 1;
    const needed = Math.ceil(Math.max(0, bytes - unknownPacks * indexedPackLength) / entryLength) + 64;
    if (this.table.room < needed) await this.ensureRoom(needed + spareBlobs);
    const threads = bytes < worthThreads ? undefined : this.#hooks.threads;
    for (let left = fresh; left.length > 0;) {
      const again: [string, number][] = [];
      await eachInParallel(left, 4, async ([hash, size]) => {
        const name = indexName(hash);
        try {
          if (await this.#loadIndex(name, threads, signal)) this.#loaded.add(hash);
          else again.push([hash, size]);
        } catch (error) {
          this.#noteProblem(name, error);
        }
      });
      left = again;
      // More than was reckoned with, when packs are known that no index names.
      await this.ensureRoom(Math.ceil(again.reduce((sum, [, size]) => sum + size, 0) / entryLength));
    }
  }

  /** False when it has to be repeated: the table was full, or another one took its place meanwhile. */
  async #loadIndex(name: string, threads: IndexThreads | undefined, signal?: AbortSignal): Promise<boolean> {
    const sealed = await this.#store.get(name, { signal });
    const content =
      threads === undefined
        ? ownMemory(unseal(this.#keys, objectKinds.index, "", sealed, maxIndexSize, name))
        : await threads.unseal(name, ownMemory(sealed));
    const packs = this.#packsToPut(content, name);
    const table = this.table;
    try {
      if (threads === undefined) putIndexedPacks(table, { name, content, packs });
      else await threads.put(table, { name, content, packs });
      if (this.table === table) return true;
      this.#setEntries(packs, false);
      return false;
    } catch (error) {
      this.#setEntries(packs, false);
      if (isErrorCode(error, "IndexFull")) return false;
      throw error;
    }
  }

  /** The packs that are there and not in the table yet; they count as known from now on. */
  #packsToPut(content: Uint8Array, name: string): Int32Array<ArrayBuffer> {
    const fields: number[] = [];
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    outlineIndex(content, name, {
      pack: (at, entriesLength) => {
        const number = this.#packs.numberAt(view, at);
        if (number === undefined || !this.#isPresent(number)) {
          this.#lost.add(Buffer.from(content.subarray(at, at + idLength)).toString("hex"));
          return;
        }
        if (!this.#packs.isDescribed(number)) {
          const salt = content.subarray(at + packFields.salt, at + packFields.salt + 32);
          this.#packs.describe(number, view.getUint32(at + packFields.epoch, true), salt);
        }
        if (this.#hasEntries[number] === true) return;
        fields.push(number, view.getUint32(at + packFields.size, true), at + indexedPackLength, entriesLength);
      },
    });
    const packs = Int32Array.from(fields);
    this.#setEntries(packs, true);
    return packs;
  }

  #setEntries(packs: Int32Array, are: boolean): void {
    for (let at = 0; at < packs.length; at += indexedPackFields) this.#hasEntries[packs[at] ?? 0] = are;
  }

  /** Packs that no index names: left by a writer that died, or the index is lost. */
  async #loadDirectories(signal?: AbortSignal): Promise<void> {
    const unknown = [...this.#presentNumbers()].filter((number) => this.#hasEntries[number] !== true);
    await eachInParallel(unknown, parallelReads, async (number) => {
      const hash = this.#packs.hashOf(number);
      try {
        const pack = await readPackDirectory(this.#store, this.#keys, hash, this.#packs.sizeOf(number), signal);
        await this.ensureRoom(pack.entries.length + 64);
        this.#packs.describe(number, pack.epoch, pack.salt);
        this.#hasEntries[number] = true;
        this.#putAll(number, pack);
      } catch (error) {
        this.#noteProblem(`pack ${hash}`, error);
      }
    });
  }

  #putAll(number: number, pack: Pick<IndexedPackEntries, "entries">): void {
    for (const { id, offset, storedLength, shape } of pack.entries) {
      this.table.put(Buffer.from(id.buffer, id.byteOffset, idLength), number, offset, storedLength, shape);
    }
  }

  /** What is damaged or vanished is passed over; what we may not read or cannot reach is a failure. */
  #noteProblem(object: string, error: unknown): void {
    if (!isDamage(error)) throw error;
    this.#isWhole = false;
    this.#problems.push({ object, message: error instanceof Error ? error.message : String(error) });
  }

  async #replaceTable(table: BlobTable): Promise<void> {
    this.table = table;
    await this.#hooks.onTable(table);
  }

  /** Numbers. */
  async #listPacks(signal?: AbortSignal): Promise<number[]> {
    const found: number[] = [];
    for await (const { name, size } of this.#store.list(prefixes.packs, signal)) {
      const hash = hashOfName(name);
      if (hash !== undefined) found.push(this.#packs.note(hash, size));
    }
    return found;
  }

  async #listHashes(prefix: string, signal?: AbortSignal): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for await (const { name, size } of this.#store.list(prefix, signal)) {
      const hash = hashOfName(name);
      if (hash !== undefined) found.set(hash, size);
    }
    return found;
  }
}
