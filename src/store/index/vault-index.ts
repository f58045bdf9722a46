// The index of an open vault: which packs are there, and where every blob is. It is derived: lost
// index objects are replaced by the packs' own directories.

import type { ObjectStore } from "../backends/object-store.ts";
import { condemnedPacks, doomedPacks, readCollectionRecords } from "../collect/records.ts";
import { indexedPackLength, outlineIndex, type IndexedPackEntries } from "../format/index-object.ts";
import { idLength, maxIndexSize, objectKinds } from "../format/layout.ts";
import { hashOfName, indexName, prefixes } from "../format/object-names.ts";
import { entryLength } from "../format/pack.ts";
import { unseal } from "../format/sealed.ts";
import type { VaultKeys } from "../keys/vault-keys.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { isDamage } from "../damage.ts";
import { eachInParallel } from "../../lib/parallel.ts";
import type { FinishedPack } from "../pipeline/pack-builder.ts";
import { BlobTable, ownPackState, packStates, rankOf, type BlobLocation } from "./blob-table.ts";
import { indexedPackFields, putIndexedPacks, type IndexedPacks } from "./indexed-packs.ts";
import { readPackDirectory } from "./pack-directory.ts";

export interface PackRecord {
  readonly hash: string;
  readonly size: number;
  readonly epoch: number;
  readonly salt: Uint8Array;
}

export interface IndexProblem {
  readonly object: string;
  readonly message: string;
}

export interface IndexHooks {
  /** Called before each reading of the store. */
  beforeReading(signal?: AbortSignal): Promise<void>;
  /** Told, and waited for, whenever another table takes the place of the present one. */
  onTable(table: BlobTable): Promise<void>;
  /** Puts packs into the table on another thread, like `putIndexedPacks`; takes the content's memory. */
  putElsewhere?(packs: IndexedPacks): Promise<void>;
}

const parallelReads = 8;
/** Index objects of so many bytes are worth the start of other threads: about 100,000 blobs. */
const worthThreads = 4 * 1024 * 1024;

export class VaultIndex {
  readonly #store: ObjectStore;
  readonly #keys: VaultKeys;
  readonly #packs: (PackRecord | undefined)[] = [];
  readonly #byHash = new Map<string, number>();
  readonly #hooks: IndexHooks;
  #present = new Map<string, number>();
  #loaded = new Set<string>();
  /** By the pack's number: whether its entries are in the table. */
  #hasEntries: boolean[] = [];
  #problems: IndexProblem[] = [];
  #isWhole = true;
  #lost = new Set<string>();
  #stateOf: (hash: string) => number = () => packStates.usable;
  /** Packs that became durable here while the store was being listed. */
  #justAdded = new Map<string, number>();
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

  /** Packs that were there at the last refresh, with their sizes. */
  get present(): ReadonlyMap<string, number> {
    return this.#present;
  }

  pack(number: number): PackRecord | undefined {
    return this.#packs[number];
  }

  packNumber(hash: string): number | undefined {
    return this.#byHash.get(hash);
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
    const number = this.#packs.push(undefined) - 1;
    this.#hasEntries[number] = false;
    this.table.setPackState(number, ownPackState(session));
    return number;
  }

  /** The pack is durable: everybody may rely on it. */
  addPack(number: number, pack: FinishedPack): void {
    this.#packs[number] = pack;
    this.#byHash.set(pack.hash, number);
    this.#present.set(pack.hash, pack.size);
    this.#justAdded.set(pack.hash, pack.size);
    this.#hasEntries[number] = true;
    this.table.setPackState(number, packStates.usable);
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
    this.#justAdded = new Map();
    // Doomed packs are listed before packs: a pack that is deleted meanwhile is then seen as doomed.
    const records = await readCollectionRecords(this.#store, this.#keys, signal);
    const suspect = doomedPacks(records);
    const condemned = condemnedPacks(records);
    for (const hash of (await this.#listHashes(prefixes.quarantine, signal)).keys()) suspect.add(hash);
    const present = await this.#listHashes(prefixes.packs, signal);
    const indexes = await this.#listHashes(prefixes.index, signal);
    for (const [hash, size] of this.#justAdded) present.set(hash, size);
    const stateOf = (hash: string): number => {
      if (!present.has(hash)) return packStates.absent;
      if (suspect.has(hash)) return packStates.readOnly;
      return condemned.has(hash) ? packStates.condemned : packStates.usable;
    };
    this.#problems = [];
    if ([...this.#loaded].some((hash) => !indexes.has(hash))) this.#loaded = new Set();
    if (this.#loaded.size === 0) this.#lost = new Set();
    this.#isWhole = suspect.size === 0;
    this.#present = present;
    this.#stateOf = stateOf;
    if (this.#hasLost()) await this.#forget();
    for (const [hash, number] of this.#byHash) this.table.setPackState(number, stateOf(hash));
    await this.#loadIndexes(indexes, signal);
    await this.#loadDirectories(signal);
  }

  /** A blob may have another copy that was passed over while this one was better: then read all again. */
  #hasLost(): boolean {
    for (const [hash, number] of this.#byHash) {
      if (!this.#isKnown(number)) continue;
      if (rankOf(this.#stateOf(hash)) < rankOf(this.table.packState(number))) return true;
    }
    return false;
  }

  async #forget(): Promise<void> {
    this.#loaded = new Set();
    this.#hasEntries.fill(false);
    await this.#replaceTable(BlobTable.create(this.table.count + 1024, this.table.shared.packs));
  }

  async #loadIndexes(indexes: ReadonlyMap<string, number>, signal?: AbortSignal): Promise<void> {
    const fresh = [...indexes].filter(([hash]) => !this.#loaded.has(hash));
    const bytes = fresh.reduce((sum, [, size]) => sum + size, 0);
    const unknownPacks = Math.max(0, this.#present.size - this.#byHash.size);
    await this.ensureRoom(Math.ceil(Math.max(0, bytes - unknownPacks * indexedPackLength) / entryLength) + 64);
    const put = bytes < worthThreads ? undefined : this.#hooks.putElsewhere;
    for (let left = fresh; left.length > 0;) {
      const again: [string, number][] = [];
      await eachInParallel(left, 4, async ([hash, size]) => {
        const name = indexName(hash);
        try {
          if (await this.#loadIndex(name, put, signal)) this.#loaded.add(hash);
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
  async #loadIndex(name: string, putElsewhere: IndexHooks["putElsewhere"], signal?: AbortSignal): Promise<boolean> {
    const sealed = await this.#store.get(name, { signal });
    const content = ownMemory(unseal(this.#keys, objectKinds.index, "", sealed, maxIndexSize, name));
    const packs = this.#packsToPut(content, name);
    const table = this.table;
    const isIn = await this.#put({ name, content: content.buffer, packs }, putElsewhere).catch((error: unknown) => {
      this.#setEntries(packs, false);
      if (isErrorCode(error, "IndexFull")) return false;
      throw error;
    });
    if (isIn && this.table === table) return true;
    this.#setEntries(packs, false);
    return false;
  }

  async #put(packs: IndexedPacks, putElsewhere: IndexHooks["putElsewhere"]): Promise<boolean> {
    if (putElsewhere === undefined) putIndexedPacks(this.table, packs);
    else await putElsewhere(packs);
    return true;
  }

  /** The packs that are there and not in the table yet; they count as known from now on. */
  #packsToPut(content: Buffer, name: string): Int32Array<ArrayBuffer> {
    const fields: number[] = [];
    outlineIndex(content, name, {
      replaces: () => {},
      pack: (pack, entries) => {
        const state = this.#stateOf(pack.hash);
        if (state === packStates.absent) {
          this.#lost.add(pack.hash);
          return;
        }
        const number = this.#register(pack, state);
        if (!this.#isKnown(number)) fields.push(number, pack.size, entries.byteOffset, entries.length);
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
    if (this.#areAllKnown()) return;
    const unknown: [string, number][] = [];
    for (const [hash, size] of this.#present) {
      if (!this.#isKnown(this.#byHash.get(hash))) unknown.push([hash, size]);
    }
    await eachInParallel(unknown, parallelReads, async ([hash, size]) => {
      try {
        const pack = await readPackDirectory(this.#store, this.#keys, hash, size, signal);
        await this.ensureRoom(pack.entries.length + 64);
        const number = this.#register(pack, this.#stateOf(hash));
        this.#hasEntries[number] = true;
        this.#putAll(number, pack);
      } catch (error) {
        this.#noteProblem(`pack ${hash}`, error);
      }
    });
  }

  /** The rule, and told without a look at every name. */
  #areAllKnown(): boolean {
    let known = 0;
    for (const number of this.#byHash.values()) {
      if (this.#isKnown(number) && this.table.packState(number) !== packStates.absent) known += 1;
    }
    return known === this.#present.size;
  }

  #isKnown(number: number | undefined): boolean {
    return number !== undefined && this.#hasEntries[number] === true;
  }

  #register(pack: PackRecord, state: number): number {
    const known = this.#byHash.get(pack.hash);
    if (known !== undefined) return known;
    const number = this.#packs.push({ hash: pack.hash, size: pack.size, epoch: pack.epoch, salt: pack.salt }) - 1;
    this.#hasEntries[number] = false;
    this.#byHash.set(pack.hash, number);
    this.table.setPackState(number, state);
    return number;
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

  async #listHashes(prefix: string, signal?: AbortSignal): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for await (const { name, size } of this.#store.list(prefix, signal)) {
      const hash = hashOfName(name);
      if (hash !== undefined) found.set(hash, size);
    }
    return found;
  }
}

/** Memory that can be given away: that of a large buffer is its own but for a few bytes, a pool's is not. */
function ownMemory(content: Buffer): Buffer<ArrayBuffer> {
  const { buffer, byteOffset, length } = content;
  if (buffer instanceof ArrayBuffer && buffer.byteLength - length < 64) return Buffer.from(buffer, byteOffset, length);
  const copy = Buffer.from(new ArrayBuffer(length));
  copy.set(content);
  return copy;
}
