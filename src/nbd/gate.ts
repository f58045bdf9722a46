// Lets so much through at a time, in the order of arrival. What weighs more than the whole gate
// passes alone.

export class Gate {
  readonly #capacity: number;
  #used = 0;
  readonly #queue: { readonly weight: number; readonly pass: () => void }[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** A promise only for those who must wait. */
  enter(weight = 1): Promise<void> | undefined {
    if (this.#queue.length === 0 && this.#fits(weight)) {
      this.#used += weight;
      return undefined;
    }
    return new Promise((pass) => this.#queue.push({ weight, pass }));
  }

  leave(weight = 1): void {
    this.#used -= weight;
    for (;;) {
      const next = this.#queue[0];
      if (next === undefined || !this.#fits(next.weight)) return;
      this.#queue.shift();
      this.#used += next.weight;
      next.pass();
    }
  }

  #fits(weight: number): boolean {
    return this.#used === 0 || this.#used + weight <= this.#capacity;
  }
}
