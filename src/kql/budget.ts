// How much of a result is given: what goes beyond rows or bytes is left out, and that it was is said.

import type { Value } from "./engine.ts";
import { kqlErrors } from "./errors.ts";
import type { HoldfastError } from "../lib/errors.ts";

export interface ResultLimits {
  readonly maxRows: number;
  readonly maxBytes: number;
}

export class Budget {
  readonly #limits: ResultLimits;
  rows = 0;
  #bytes = 0;
  exceeded: HoldfastError | undefined;

  constructor(limits: ResultLimits) {
    this.#limits = limits;
  }

  admit(rows: readonly (readonly Value[])[]): readonly (readonly Value[])[] {
    const admitted: (readonly Value[])[] = [];
    for (const row of rows) {
      if (this.rows >= this.#limits.maxRows) {
        this.exceeded = kqlErrors.ResourceLimit(
          `The result has more than ${this.#limits.maxRows} rows; the rest is left out.`,
        );
        break;
      }
      for (const value of row) this.#bytes += typeof value === "string" ? value.length : 8;
      if (this.#bytes > this.#limits.maxBytes) {
        this.exceeded = kqlErrors.ResourceLimit(
          `The result has more than ${this.#limits.maxBytes} bytes; the rest is left out.`,
        );
        break;
      }
      this.rows += 1;
      admitted.push(row);
    }
    return admitted;
  }
}
