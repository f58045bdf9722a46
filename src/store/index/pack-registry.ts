// The packs that an open vault knows, by number: names, sizes, keys. A vault of many terabytes has half a
// million of them, so they are columns of numbers; as objects they would keep the garbage collector busy
// for as long as it takes to read the whole index.

import { randomBytes } from "../../lib/random.ts";
import { idLength } from "../format/layout.ts";

export interface PackRecord {
  readonly hash: string;
  readonly size: number;
  readonly epoch: number;
  readonly salt: Uint8Array;
}

const words = idLength / 4;
const firstCapacity = 64;

export class PackRegistry {
  #count = 0;
  #names = new Int32Array(firstCapacity * words);
  /** Where each name belongs among the slots, before it is cut to their number. */
  #homes = new Int32Array(firstCapacity);
  #salts = new Uint8Array(firstCapacity * 32);
  #sizes = new Uint32Array(firstCapacity);
  /** 0: not described yet, by an index object or by the pack itself. */
  #epochs = new Uint32Array(firstCapacity);
  /** Open addressing: a number plus one, or 0; at most half are taken. */
  #slots = new Int32Array(2 * firstCapacity);
  /** Names come from the place of the vault: nobody there can choose them so that they meet in one slot. */
  readonly #spread = oddNumbers(words);

  get count(): number {
    return this.#count;
  }

  /** The number of a pack that has no name yet. */
  begin(): number {
    if (this.#count === this.#sizes.length) this.#grow();
    this.#count += 1;
    return this.#count - 1;
  }

  /** The number of a name; a new one when it was not known. */
  note(hash: string, size: number): number {
    const name = nameOf(hash);
    const number = this.#find(name, 0) ?? this.#nameNew(name);
    this.#sizes[number] = size;
    return number;
  }

  /** From now on the name means this number, whatever it meant before. */
  name(number: number, hash: string, size: number): void {
    this.#setName(number, nameOf(hash));
    this.#sizes[number] = size;
  }

  /** The salt lies in `bytes`, from `at` on. */
  describe(number: number, epoch: number, bytes: Uint8Array, at = 0): void {
    this.#epochs[number] = epoch;
    for (let index = 0; index < 32; index += 1) this.#salts[number * 32 + index] = bytes[at + index] ?? 0;
  }

  isDescribed(number: number): boolean {
    return this.#epochs[number] !== 0;
  }

  numberOf(hash: string): number | undefined {
    return this.#find(nameOf(hash), 0);
  }

  /** Of a name as index objects have it. */
  numberAt(view: DataView, at: number): number | undefined {
    return this.#find(view, at);
  }

  sizeOf(number: number): number {
    return this.#sizes[number] ?? 0;
  }

  hashOf(number: number): string {
    return Buffer.from(this.#nameAt(number).buffer).toString("hex");
  }

  /** Undefined while it is not described. */
  record(number: number): PackRecord | undefined {
    const epoch = this.#epochs[number] ?? 0;
    if (number >= this.#count || epoch === 0) return undefined;
    const salt = this.#salts.slice(number * 32, number * 32 + 32);
    return { hash: this.hashOf(number), size: this.sizeOf(number), epoch, salt };
  }

  #find(name: DataView, at: number): number | undefined {
    const slot = this.#slots[this.#slotOf(name, at, this.#home(name, at))] ?? 0;
    return slot === 0 ? undefined : slot - 1;
  }

  /** Where a name is, or where it would be. */
  #slotOf(name: DataView, at: number, home: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = home & mask; ; slot = (slot + 1) & mask) {
      const number = (this.#slots[slot] ?? 0) - 1;
      if (number < 0 || this.#isNamed(number, name, at)) return slot;
    }
  }

  #isNamed(number: number, name: DataView, at: number): boolean {
    const from = number * words;
    for (let word = 0; word < words; word += 1) {
      if (this.#names[from + word] !== name.getInt32(at + word * 4, true)) return false;
    }
    return true;
  }

  #home(name: DataView, at: number): number {
    let sum = 0;
    for (let word = 0; word < words; word += 1) {
      sum = (sum + Math.imul(name.getInt32(at + word * 4, true), this.#spread[word] ?? 1)) | 0;
    }
    return sum ^ (sum >>> 15);
  }

  #nameNew(name: DataView): number {
    const number = this.begin();
    this.#setName(number, name);
    return number;
  }

  #setName(number: number, name: DataView): void {
    const home = this.#home(name, 0);
    this.#homes[number] = home;
    for (let word = 0; word < words; word += 1) this.#names[number * words + word] = name.getInt32(word * 4, true);
    this.#slots[this.#slotOf(name, 0, home)] = number + 1;
  }

  /** The result is valid until the next call. */
  #nameAt(number: number): DataView<ArrayBuffer> {
    for (let word = 0; word < words; word += 1) {
      storedName.setInt32(word * 4, this.#names[number * words + word] ?? 0, true);
    }
    return storedName;
  }

  #grow(): void {
    const capacity = 2 * this.#sizes.length;
    this.#names = grown(this.#names, new Int32Array(capacity * words));
    this.#homes = grown(this.#homes, new Int32Array(capacity));
    this.#salts = grown(this.#salts, new Uint8Array(capacity * 32));
    this.#sizes = grown(this.#sizes, new Uint32Array(capacity));
    this.#epochs = grown(this.#epochs, new Uint32Array(capacity));
    this.#spreadOver(2 * capacity);
  }

  /** All names are different: each takes the first free slot. */
  #spreadOver(count: number): void {
    const slots = new Int32Array(count);
    const mask = count - 1;
    for (const taken of this.#slots) {
      if (taken === 0) continue;
      let slot = (this.#homes[taken - 1] ?? 0) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = taken;
    }
    this.#slots = slots;
  }
}

function grown<T extends Int32Array | Uint32Array | Uint8Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}

function oddNumbers(count: number): Int32Array {
  const numbers = new Int32Array(count);
  for (let index = 0; index < count; index += 1) numbers[index] = randomBytes(4).readInt32LE(0) | 1;
  return numbers;
}

const storedName = new DataView(new ArrayBuffer(idLength));
const askedName = Buffer.from(new ArrayBuffer(idLength));
const askedView = new DataView(askedName.buffer);

/** The result is valid until the next call. */
function nameOf(hash: string): DataView {
  askedName.write(hash, "hex");
  return askedView;
}
