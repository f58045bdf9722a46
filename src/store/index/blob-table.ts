// Where every blob is, in shared memory: open addressing, 48 bytes a slot, about 62 bytes a blob.
// Any thread may look up at any time; changes take a lock that is held for less than a microsecond.
//
// A slot's location word is written last and read first and last, so a reader never sees half a
// location. Which packs may be used for deduplication is a byte per pack beside the table.

import { storeErrors } from "../errors.ts";
import { idLength } from "../format/layout.ts";
import { entryLength } from "../format/pack.ts";
import { headerLength } from "../format/sealed.ts";

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
export const ownPackState = (session: number): number => 16 + (session % 240);

export interface BlobLocation {
  readonly pack: number;
  readonly offset: number;
  readonly storedLength: number;
  readonly shape: number;
}

export interface SharedTable {
  readonly slots: SharedArrayBuffer;
  readonly packs: SharedArrayBuffer;
}

const headWords = 4;
const slotWords = 12;
const locationWord = 8;
const busy = -1;
export const maxPacks = 1 << 22;
/** How many entries are looked for in memory at a time. */
const batch = 64;

export class BlobTable {
  readonly shared: SharedTable;
  readonly capacity: number;
  readonly #words: Int32Array;
  readonly #packs: Uint8Array;
  readonly #limit: number;
  readonly #scale: number;

  constructor(shared: SharedTable) {
    this.shared = shared;
    this.#words = new Int32Array(shared.slots);
    this.#packs = new Uint8Array(shared.packs);
    this.capacity = (this.#words.length - headWords) / slotWords;
    this.#limit = Math.floor(this.capacity * 0.9);
    this.#scale = this.capacity / 0x100000000;
  }

  static create(blobs: number, packs = new SharedArrayBuffer(maxPacks)): BlobTable {
    const capacity = Math.ceil(blobs * 1.28) + 64;
    return new BlobTable({ slots: new SharedArrayBuffer((headWords + capacity * slotWords) * 4), packs });
  }

  get count(): number {
    return Atomics.load(this.#words, 1);
  }

  get room(): number {
    return this.#limit - this.count;
  }

  packState(pack: number): number {
    return this.#packs[pack] ?? packStates.absent;
  }

  setPackState(pack: number, state: number): void {
    if (pack >= maxPacks) throw storeErrors.IndexFull(`The vault has more than ${maxPacks} packs.`);
    this.#packs[pack] = state;
  }

  /** The slot of a blob, whatever the state of its pack; -1 when it is not there. */
  find(id: Buffer): number {
    const key = readKey(viewOf(id), 0);
    for (let slot = this.#home(key[0] ?? 0); ; slot = slot + 1 === this.capacity ? 0 : slot + 1) {
      const at = headWords + slot * slotWords;
      if (Atomics.load(this.#words, at + locationWord) === 0) return -1;
      if (this.#holds(at, key)) return slot;
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
    const at = headWords + slot * slotWords + locationWord;
    for (;;) {
      const pack = Atomics.load(words, at);
      const offset = Atomics.load(words, at + 1);
      const storedLength = Atomics.load(words, at + 2);
      const shape = Atomics.load(words, at + 3);
      if (pack !== busy && Atomics.load(words, at) === pack) return { pack: pack - 1, offset, storedLength, shape };
    }
  }

  idAt(slot: number): Buffer | undefined {
    const at = headWords + slot * slotWords;
    if (Atomics.load(this.#words, at + locationWord) === 0) return undefined;
    const id = Buffer.allocUnsafe(32);
    for (let word = 0; word < 8; word += 1) id.writeInt32LE(this.#words[at + word] ?? 0, word * 4);
    return id;
  }

  /** Records a location unless a better one is known. Returns whether it was recorded. */
  put(id: Buffer, pack: number, offset: number, storedLength: number, shape: number): boolean {
    this.#lock();
    try {
      return this.#record(readKey(viewOf(id), 0), pack, offset, storedLength, shape);
    } finally {
      this.#unlock();
    }
  }

  /** The entries of a pack as its directory has them; checked before (format/pack.ts, readEntries). */
  putEntries(entries: Buffer, pack: number): void {
    const view = viewOf(entries);
    this.#lock();
    try {
      let offset = headerLength;
      for (let first = 0; first < entries.length; first += batch * entryLength) {
        const end = Math.min(entries.length, first + batch * entryLength);
        this.#touch(view, first, end);
        for (let at = first; at < end; at += entryLength) {
          const storedLength = view.getUint32(at + idLength, true) & 0xffffff;
          const shape = view.getUint32(at + idLength + 2, true) >>> 8;
          this.#record(readKey(view, at), pack, offset, storedLength, shape);
          offset += storedLength;
        }
      }
    } finally {
      this.#unlock();
    }
  }

  /**
   * Reads the slots where entries belong. The table is far larger than any cache, and the atomic
   * store at the end of an entry lets nothing overtake it: here the processor waits for all at once.
   */
  #touch(view: DataView, from: number, to: number): void {
    const words = this.#words;
    let sum = 0;
    for (let at = from; at < to; at += entryLength) {
      const slot = headWords + this.#home(view.getInt32(at, true)) * slotWords;
      sum ^= (words[slot] ?? 0) ^ (words[slot + slotWords - 1] ?? 0);
    }
    touched[0] = sum; // so that it is not left out
  }

  #record(key: Int32Array, pack: number, offset: number, storedLength: number, shape: number): boolean {
    const words = this.#words;
    for (let slot = this.#home(key[0] ?? 0); ; slot = slot + 1 === this.capacity ? 0 : slot + 1) {
      const at = headWords + slot * slotWords;
      const present = words[at + locationWord] ?? 0;
      if (present === 0) {
        const count = words[1] ?? 0;
        if (count >= this.#limit) throw storeErrors.IndexFull(`The blob table is full at ${count} blobs.`);
        for (let word = 0; word < 8; word += 1) words[at + word] = key[word] ?? 0;
        words[1] = count + 1;
      } else if (!this.#holds(at, key)) continue;
      else if (rankOf(this.packState(present - 1)) >= rankOf(this.packState(pack))) return false;
      else Atomics.store(words, at + locationWord, busy);
      words[at + locationWord + 1] = offset;
      words[at + locationWord + 2] = storedLength;
      words[at + locationWord + 3] = shape;
      Atomics.store(words, at + locationWord, pack + 1);
      return true;
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

  #unlock(): void {
    Atomics.store(this.#words, 0, 0);
    Atomics.notify(this.#words, 0, 1);
  }

  #lock(): void {
    while (Atomics.compareExchange(this.#words, 0, 0, 1) !== 0) Atomics.wait(this.#words, 0, 1, 1);
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

const touched = new Int32Array(1);
const scratchKey = new Int32Array(8);

const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The result is valid until the next call. */
function readKey(view: DataView, at: number): Int32Array {
  for (let word = 0; word < 8; word += 1) scratchKey[word] = view.getInt32(at + word * 4, true);
  return scratchKey;
}
