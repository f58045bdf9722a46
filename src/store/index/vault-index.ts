// The index of an open vault: which packs are there, and where every blob is. It is derived: lost
// index objects are replaced by the packs' own directories.

import type { ObjectStore } from "../backends/object-store.ts";
import { isDamage } from "../damage.ts";
import type { IndexedPackEntries } from "../format/index-object.ts";
import { idLength } from "../format/layout.ts";
import type { VaultKeys } from "../keys/vault-keys.ts";
import { eachInParallel } from "../../lib/parallel.ts";
import type { FinishedPack } from "../pipeline/pack-builder.ts";
import { ownPackState, packStates, rankOf, type BlobLocation, type BlobTable } from "./blob-table.ts";
import { CurrentTable } from "./current-table.ts";
import { IndexObjects, type IndexThreads } from "./index-objects.ts";
import { readPackDirectory } from "./pack-directory.ts";
import { PackRegistry, type PackRecord } from "./pack-registry.ts";
import { PackStates, type StatesColumn } from "./pack-states.ts";
import { listStore, type StoreListing } from "./store-listing.ts";

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

const parallelReads = 8;

export class VaultIndex {
  readonly #store: ObjectStore;
  readonly #keys: VaultKeys;
  readonly #hooks: IndexHooks;
  readonly #registry = new PackRegistry();
  readonly #states = new PackStates();
  readonly #table: CurrentTable;
  readonly #objects: IndexObjects;
  #problems: IndexProblem[] = [];
  #isWhole = true;
  /** Packs that became durable here while the store was being listed, and numbers whose names they took over. */
  #justAdded: number[] = [];
  #superseded: number[] = [];
  #refreshing: Promise<void> | undefined;

  constructor(store: ObjectStore, keys: VaultKeys, hooks: IndexHooks) {
    this.#store = store;
    this.#keys = keys;
    this.#hooks = hooks;
    this.#table = new CurrentTable((table) => hooks.onTable(table));
    const packs = { registry: this.#registry, states: this.#states };
    this.#objects = new IndexObjects(store, keys, packs, this.#table, hooks.threads);
  }

  get table(): BlobTable {
    return this.#table.blobs;
  }

  /** Index objects and packs that could not be read at the last refresh. */
  get problems(): readonly IndexProblem[] {
    return this.#problems;
  }

  /** Whether every pack that an index object names is there and good, as far as is known. */
  get isWhole(): boolean {
    return this.#isWhole && this.lost.size === 0;
  }

  /** Packs that an index object names and that are not there. */
  get lost(): ReadonlySet<string> {
    return this.#objects.lost;
  }

  /** Names and sizes of the packs that were there at the last refresh. */
  *present(): Generator<readonly [hash: string, size: number]> {
    for (const number of this.#states.present()) yield [this.#registry.hashOf(number), this.#registry.sizeOf(number)];
  }

  /** Undefined when it was not there at the last refresh. */
  presentSize(hash: string): number | undefined {
    const number = this.#registry.numberOf(hash);
    return number !== undefined && this.#states.isPresent(number) ? this.#registry.sizeOf(number) : undefined;
  }

  get isEmpty(): boolean {
    return this.#states.present().next().done === true;
  }

  pack(number: number): PackRecord | undefined {
    return this.#registry.record(number);
  }

  /** Undefined when neither an index object nor the pack itself has told what is in it. */
  packNumber(hash: string): number | undefined {
    const number = this.#registry.numberOf(hash);
    return number !== undefined && this.#registry.isDescribed(number) ? number : undefined;
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

  async ensureRoom(blobs: number): Promise<void> {
    await this.#table.ensureRoom(blobs);
  }

  /** The number of a pack that a session begins to build. */
  startPack(session: number): number {
    const number = this.#registry.begin();
    this.#states.begin(number);
    this.table.setPackState(number, ownPackState(session));
    return number;
  }

  /** The pack is durable: everybody may rely on it. */
  addPack(number: number, pack: FinishedPack): void {
    const noted = this.#registry.numberOf(pack.hash);
    if (noted !== undefined) {
      this.#superseded.push(noted); // a reading was faster than we
      this.#setState(noted, packStates.absent);
    }
    this.#registry.name(number, pack.hash, pack.size);
    this.#registry.describe(number, pack.epoch, pack.salt);
    this.#justAdded.push(number);
    this.#states.setEntries(number, true);
    this.#setState(number, packStates.usable);
    this.#putAll(number, pack);
  }

  /** An index object that this process wrote itself: its packs are known already. */
  noteIndex(hash: string): void {
    this.#objects.note(hash);
  }

  /** The pack was not stored, or is bad: its blobs count as absent for new points. */
  dropPack(number: number, readable = false): void {
    if (readable) this.#isWhole = false;
    this.table.setPackState(number, readable ? packStates.readOnly : packStates.absent);
  }

  async #read(signal?: AbortSignal): Promise<void> {
    await this.#hooks.beforeReading(signal);
    this.#justAdded = [];
    this.#superseded = [];
    const listing = await listStore(this.#store, this.#keys, this.#registry, signal);
    const states = this.#statesAfter(listing);
    this.#problems = [];
    this.#objects.compare(listing.indexes);
    this.#isWhole = listing.suspect.size === 0;
    const hasLost = this.#hasLost(states);
    this.#states.replace(states, (number, state) => this.table.setPackState(number, state));
    if (hasLost) await this.#forget();
    await this.#objects.load(listing.indexes, (object, error) => this.#noteProblem(object, error), signal);
    await this.#loadDirectories(signal);
  }

  #statesAfter({ present, suspect, condemned }: StoreListing): StatesColumn {
    const numbersOf = (hashes: Iterable<string>): number[] =>
      [...hashes].flatMap((hash) => this.#registry.numberOf(hash) ?? []);
    return this.#states.after({
      count: this.#registry.count,
      present: present.concat(this.#justAdded),
      superseded: this.#superseded,
      suspect: numbersOf(suspect),
      condemned: numbersOf(condemned),
    });
  }

  #setState(number: number, state: number): void {
    this.#states.set(number, state);
    this.table.setPackState(number, state);
  }

  /** A blob may have another copy that was passed over while this one was better: then read all again. */
  #hasLost(states: StatesColumn): boolean {
    return states.some(
      (state, number) => this.#states.hasEntries(number) && rankOf(state) < rankOf(this.table.packState(number)),
    );
  }

  async #forget(): Promise<void> {
    this.#objects.forget();
    this.#states.forgetEntries();
    await this.#table.empty();
  }

  /** Packs that no index names: left by a writer that died, or the index is lost. */
  async #loadDirectories(signal?: AbortSignal): Promise<void> {
    const unknown = [...this.#states.present()].filter((number) => !this.#states.hasEntries(number));
    await eachInParallel(unknown, parallelReads, async (number) => {
      const hash = this.#registry.hashOf(number);
      try {
        const pack = await readPackDirectory(this.#store, this.#keys, hash, this.#registry.sizeOf(number), signal);
        await this.ensureRoom(pack.entries.length + 64);
        this.#registry.describe(number, pack.epoch, pack.salt);
        this.#states.setEntries(number, true);
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
}
