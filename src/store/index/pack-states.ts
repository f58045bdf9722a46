// What the last reading of the store said of each pack, and whether the table has its entries: columns by
// the pack's number, for the same reason as the registry's.

import { packStates } from "./blob-table.ts";

/** Only the session that builds it knows of it: no reading can say anything. */
const beingBuilt = 255;

/** By the pack's number; bytes behind those that have been given out say that nothing is there. */
export type StatesColumn = Uint8Array<ArrayBuffer>;

export interface SeenPacks {
  /** How many numbers have been given out. */
  readonly count: number;
  readonly present: readonly number[];
  /** Another number has their names now. */
  readonly superseded: readonly number[];
  /** Doomed or quarantined. */
  readonly suspect: readonly number[];
  readonly condemned: readonly number[];
}

export class PackStates {
  #states: StatesColumn = new Uint8Array(0);
  #hasEntries: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  begin(number: number): void {
    this.set(number, beingBuilt);
    this.setEntries(number, false);
  }

  set(number: number, state: number): void {
    if (number >= this.#states.length) this.#states = longer(this.#states, number);
    this.#states[number] = state;
  }

  isPresent(number: number): boolean {
    const state = this.#states[number] ?? packStates.absent;
    return state !== packStates.absent && state !== beingBuilt;
  }

  *present(): Generator<number> {
    for (let number = 0; number < this.#states.length; number += 1) if (this.isPresent(number)) yield number;
  }

  /** What the states are when a reading saw these packs. */
  after({ count, present, superseded, suspect, condemned }: SeenPacks): StatesColumn {
    const states = new Uint8Array(count);
    for (const number of present) states[number] = packStates.usable;
    for (const number of superseded) states[number] = packStates.absent;
    for (const number of suspect) if (states[number] === packStates.usable) states[number] = packStates.readOnly;
    for (const number of condemned) if (states[number] === packStates.usable) states[number] = packStates.condemned;
    this.#states.forEach((state, number) => {
      if (state === beingBuilt) states[number] = beingBuilt;
    });
    return states;
  }

  /** Takes over what `after` gave, and tells it of every pack that is not being built. */
  replace(states: StatesColumn, tell: (number: number, state: number) => void): void {
    this.#states = states;
    states.forEach((state, number) => {
      if (state !== beingBuilt) tell(number, state);
    });
  }

  hasEntries(number: number): boolean {
    return this.#hasEntries[number] === 1;
  }

  setEntries(number: number, are: boolean): void {
    if (number >= this.#hasEntries.length) this.#hasEntries = longer(this.#hasEntries, number);
    this.#hasEntries[number] = are ? 1 : 0;
  }

  /** The table is another one, with nothing in it. */
  forgetEntries(): void {
    this.#hasEntries.fill(0);
  }
}

/** With room for the number, and for as many again, so that not every new pack makes another one. */
function longer(column: Uint8Array, number: number): StatesColumn {
  const larger = new Uint8Array(64 + 2 * number);
  larger.set(column);
  return larger;
}
