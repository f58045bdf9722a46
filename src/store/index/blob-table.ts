// Where every blob is, in shared memory: open addressing, 48 bytes a slot, about 62 bytes a blob.
// Any thread may look up and record at any time, many at once.
//
// A slot's location word is 0 (free), `busy` (somebody writes the slot) or a pack's number plus one.
// Whoever writes takes the slot by exchanging that word for `busy` and stores the pack last; whoever
// comes upon `busy` waits for less than a microsecond. Slots are never freed and the first free one
// is taken, so two threads that record the same blob meet in one slot. Which packs may be used for
// deduplication is a byte per pack beside the table.

import { storeErrors } from "../errors.ts";
import { idLength } from "../format/layout.ts";

export const packStates = {
  /** Not known or gone: blobs in it count as absent. */
  absent: 0,
  usable: 1,
  /** Doomed or quarantined: may be read, is never relied on by a new point. */
  readOnly: 2,
  /** May be relied on, which rescues it; another copy of the blob is preferred. */
  condemned: 3,
} as const;

/** Being built by a session, or built and not yet durable: only that session may rely on it. */
export const ownPackState = (session: number): number => 16 + (session % ownPackStates);
/** So many sessions can be told apart by one byte. */
export const ownPackStates = 239;

export interface BlobLocation {
  readonly pack: number;
  readonly offset: number;
  readonly storedLength: number;
  readonly shape: number;
}

/** Entries as a pack's directory has them (format/pack.ts), checked before: where each lies, its pack, its offset there. */
export interface EntryBatch {
  readonly at: Int32Array;
  readonly pack: Int32Array;
  readonly offset: Int32Array;
}

export interface SharedTable {
  readonly slots: SharedArrayBuffer;
  readonly packs: SharedArrayBuffer;
}

const headWords = 4;
const countWord = 1;
const slotWords = 12;
const locationWord = 8;
const busy = -1;
export const maxPacks = 1 << 22;
/** The states grow in place: at their full size each open vault would keep 4 MiB until the garbage collector comes by. */
const firstPacks = 1 << 12;
/** How many entries are looked for in memory at a time. */
export const entriesAtOnce = 64;

export class BlobTable {
  readonly shared: SharedTable;
  readonly capacity: number;
  readonly #words: Int32Array;
  readonly #packs: Uint8Array;
  readonly #limit: number;
  readonly #scale: number;
  /** A thread that still writes a slot after so many milliseconds has died meanwhile. */
  readonly #longestWrite: number;
  /** Free slots that were counted as taken in advance. */
  #reserved = 0;

  constructor(shared: SharedTable, longestWrite = 30_000) {
    this.shared = shared;
    this.#longestWrite = longestWrite;
    this.#words = new Int32Array(shared.slots);
    this.#packs = new Uint8Array(shared.packs);
    this.capacity = (this.#words.length - headWords) / slotWords;
    this.#limit = Math.floor(this.capacity * 0.9);
    this.#scale = this.capacity / 0x100000000;
  }

  static create(blobs: number, packs = new SharedArrayBuffer(firstPacks, { maxByteLength: maxPacks })): BlobTable {
    const capacity = Math.ceil(blobs * 1.28) + 64;
    return new BlobTable({ slots: new SharedArrayBuffer((headWords + capacity * slotWords) * 4), packs });
  }

  get count(): number {
    return Atomics.load(this.#words, countWord);
  }

  get room(): number {
    return this.#limit - this.count;
  }

  packState(pack: number): number {
    return this.#packs[pack] ?? packStates.absent;
  }

  /** For the main thread alone. */
  setPackState(pack: number, state: number): void {
    if (pack >= maxPacks) throw storeErrors.IndexFull(`The vault has more than ${maxPacks} packs.`);
    const { packs } = this.shared;
    if (pack >= packs.byteLength) packs.grow(Math.min(maxPacks, Math.max(pack + 1, 2 * packs.byteLength)));
    this.#packs[pack] = state;
  }

  /** The slot of a blob, whatever the state of its pack; -1 when it is not there. */
  find(id: Buffer): number {
    const key = readKey(viewOf(id), 0);
    for (let at = wordOf(this.#home(key[0] ?? 0)); ; at = this.#after(at)) {
      if (this.#settled(at) === 0) return -1;
      if (this.#holds(at, key)) return (at - headWords) / slotWords;
    }
  }

  /** Whether a new point may rely on the stored copy of this blob. */
  isUsable(id: Buffer, session: number): boolean {
    const slot = this.find(id);
    if (slot < 0) return false;
    const state = this.packState(this.location(slot).pack);
    return state === packStates.usable || state === packStates.condemned || state === ownPackState(session);
  }

  location(slot: number): BlobLocation {
    const words = this.#words;
    const at = wordOf(slot) + locationWord;
    for (;;) {
      const pack = this.#settled(at - locationWord);
      const offset = Atomics.load(words, at + 1);
      const storedLength = Atomics.load(words, at + 2);
      const shape = Atomics.load(words, at + 3);
      if (Atomics.load(words, at) === pack) return { pack: pack - 1, offset, storedLength, shape };
    }
  }

  idAt(slot: number): Buffer | undefined {
    const at = wordOf(slot);
    if (this.#settled(at) === 0) return undefined;
    const id = Buffer.allocUnsafe(32);
    for (let word = 0; word < 8; word += 1) id.writeInt32LE(this.#words[at + word] ?? 0, word * 4);
    return id;
  }

  /** Records a location unless a better one is known. Returns whether it was recorded. */
  put(id: Buffer, pack: number, offset: number, storedLength: number, shape: number): boolean {
    try {
      const key = readKey(viewOf(id), 0);
      return this.#record(wordOf(this.#home(key[0] ?? 0)), key, pack, offset, storedLength, shape);
    } finally {
      this.#giveBack();
    }
  }

  /**
   * Records the first `count` entries of a batch, at most `entriesAtOnce`: as `#record` does it, with one
   * exchange where the slot is free and nobody else wants it, which is nearly always.
   */
  putEntries(view: DataView, batch: EntryBatch, count: number): void {
    const words = this.#words;
    this.#touch(view, batch, count);
    this.#reserve(count);
    try {
      for (let index = 0; index < count; index += 1) {
        const entry = batch.at[index] ?? 0;
        const pack = batch.pack[index] ?? 0;
        const offset = batch.offset[index] ?? 0;
        const storedLength = storedLengthAt(view, entry);
        const shape = view.getUint32(entry + idLength + 2, true) >>> 8;
        const firstWord = view.getInt32(entry, true);
        // Past slots that are certainly other blobs'. An id's words are written once, where there were zeros:
        // another first word is another blob's whoever may be writing, and no atomic access has to tell.
        let at = homes[index] ?? 0;
        let seen = words[at];
        while (seen !== 0 && seen !== firstWord) {
          at = this.#after(at);
          seen = words[at];
        }
        const mayBeFree = seen === 0 && this.#reserved > 0;
        if (!mayBeFree || Atomics.compareExchange(words, at + locationWord, 0, busy) !== 0) {
          this.#record(at, readKey(view, entry), pack, offset, storedLength, shape);
          continue;
        }
        this.#reserved -= 1;
        words[at] = firstWord;
        for (let word = 1; word < 8; word += 1) words[at + word] = view.getInt32(entry + word * 4, true);
        words[at + locationWord + 1] = offset;
        words[at + locationWord + 2] = storedLength;
        words[at + locationWord + 3] = shape;
        Atomics.store(words, at + locationWord, pack + 1);
      }
    } finally {
      this.#giveBack();
    }
  }

  #after(at: number): number {
    const next = at + slotWords;
    return next === this.#words.length ? headWords : next;
  }

  /** Counts so many slots at once, where there are so many: one by one they would be a word that all threads fight for. */
  #reserve(slots: number): void {
    if (Atomics.add(this.#words, countWord, slots) + slots <= this.#limit) this.#reserved = slots;
    else Atomics.sub(this.#words, countWord, slots);
  }

  #giveBack(): void {
    if (this.#reserved > 0) Atomics.sub(this.#words, countWord, this.#reserved);
    this.#reserved = 0;
  }

  #takeFree(): void {
    if (this.#reserved > 0) {
      this.#reserved -= 1;
      return;
    }
    const count = Atomics.add(this.#words, countWord, 1);
    if (count < this.#limit) return;
    Atomics.sub(this.#words, countWord, 1);
    throw storeErrors.IndexFull(`The blob table is full at ${count} blobs.`);
  }

  /**
   * Reads the slots where entries belong, and notes where they are. The table is far larger than any cache,
   * and the atomic store at the end of an entry lets nothing overtake it: here the processor waits for all at once.
   */
  #touch(view: DataView, { at }: EntryBatch, count: number): void {
    const words = this.#words;
    let sum = 0;
    for (let index = 0; index < count; index += 1) {
      const home = wordOf(this.#home(view.getInt32(at[index] ?? 0, true)));
      homes[index] = home;
      sum ^= (words[home] ?? 0) ^ (words[home + slotWords - 1] ?? 0);
    }
    touched[0] = sum; // so that it is not left out
  }

  /** `from`: the slot where the blob belongs, or one behind it before which it cannot be. */
  #record(from: number, key: Int32Array, pack: number, offset: number, storedLength: number, shape: number): boolean {
    const words = this.#words;
    for (let at = from; ;) {
      const seen = Atomics.load(words, at + locationWord);
      const present = seen === busy ? this.#settled(at) : seen;
      if (present !== 0 && !this.#holds(at, key)) {
        at = this.#after(at);
        continue;
      }
      if (present !== 0 && rankOf(this.packState(present - 1)) >= rankOf(this.packState(pack))) return false;
      if (present === 0) this.#takeFree();
      if (Atomics.compareExchange(words, at + locationWord, present, busy) !== present) {
        if (present === 0) this.#reserved += 1;
        continue; // somebody was faster: look again what it is
      }
      if (present === 0) for (let word = 0; word < 8; word += 1) words[at + word] = key[word] ?? 0;
      words[at + locationWord + 1] = offset;
      words[at + locationWord + 2] = storedLength;
      words[at + locationWord + 3] = shape;
      Atomics.store(words, at + locationWord, pack + 1);
      return true;
    }
  }

  /** The location word of a slot that nobody is writing. */
  #settled(at: number): number {
    for (let attempt = 0; ; attempt += 1) {
      const present = Atomics.load(this.#words, at + locationWord);
      if (present !== busy) return present;
      if (attempt < 100) continue;
      if (attempt > this.#longestWrite) throw storeErrors.WorkerFailed("A thread died while it recorded a blob.");
      Atomics.wait(this.#words, at + locationWord, busy, 1);
    }
  }

  /** A larger table with the same content; nobody may put while it is made. */
  grownTo(blobs: number): BlobTable {
    const larger = BlobTable.create(blobs, this.shared.packs);
    for (let slot = 0; slot < this.capacity; slot += 1) {
      const id = this.idAt(slot);
      if (id === undefined) continue;
      const { pack, offset, storedLength, shape } = this.location(slot);
      larger.put(id, pack, offset, storedLength, shape);
    }
    return larger;
  }

  #home(firstWord: number): number {
    return Math.floor((firstWord >>> 0) * this.#scale);
  }

  #holds(at: number, key: Int32Array): boolean {
    for (let word = 0; word < 8; word += 1) if (this.#words[at + word] !== key[word]) return false;
    return true;
  }
}

const ranks: Readonly<Record<number, number>> = {
  [packStates.absent]: 0,
  [packStates.readOnly]: 1,
  [packStates.condemned]: 2,
  [packStates.usable]: 4,
};

/** Which copy of a blob is the better one; packs that are being built stand below durable ones. */
export const rankOf = (state: number): number => ranks[state] ?? 3;

const wordOf = (slot: number): number => headWords + slot * slotWords;

/** Of an entry of a pack's directory. */
export const storedLengthAt = (view: DataView, entry: number): number =>
  view.getUint32(entry + idLength, true) & 0xffffff;

const touched = new Int32Array(1);
const homes = new Int32Array(entriesAtOnce);
const scratchKey = new Int32Array(8);

const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The result is valid until the next call. */
function readKey(view: DataView, at: number): Int32Array {
  for (let word = 0; word < 8; word += 1) scratchKey[word] = view.getInt32(at + word * 4, true);
  return scratchKey;
}
