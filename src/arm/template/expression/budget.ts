// What one deployment may cost before it has deployed anything: steps, characters, time. A value's
// size counts what it would be written out, so a value that refers to itself twice, twenty levels
// deep, is as large as its text. Values are never changed once made, so a size is counted once.

import { monotonicMilliseconds } from "../../../lib/clock.ts";
import type { Json } from "../../relaxed-json/json.ts";
import { EvaluationLimitError } from "./expression-error.ts";

export interface BudgetLimits {
  readonly steps: number;
  /** Characters of all values made, together. */
  readonly totalCharacters: number;
  /** Characters of one value. */
  readonly valueCharacters: number;
  readonly milliseconds: number;
}

export const defaultBudgetLimits: BudgetLimits = {
  steps: 1_500_000,
  totalCharacters: 256 * 1024 * 1024,
  valueCharacters: 8 * 1024 * 1024,
  milliseconds: 5_000,
};

export interface Budget {
  step(): void;
  /** Before something of that many characters is made. */
  reserve(characters: number): void;
  /** Before a function reads through these values. */
  work(values: readonly Json[]): void;
  /** Refuses a value that is too large or too deep and charges what is new in it. */
  admit<T extends Json>(value: T): T;
  /** Counts the time of this work: waiting for providers between two pieces of work is not the template's. */
  timed<T>(work: () => T): T;
}

export function newBudget(limits: BudgetLimits = defaultBudgetLimits): Budget {
  const measures = new WeakMap<object, Measure>();
  let worked = 0;
  let steps = 0;
  let characters = 0;
  let spent = 0;
  let began: number | undefined;

  const checkTime = (): void => {
    const current = began === undefined ? 0 : monotonicMilliseconds() - began;
    if (spent + current > limits.milliseconds) {
      throw new EvaluationLimitError(
        `The evaluation of the template took longer than ${limits.milliseconds} ms. Make the template smaller or split it.`,
      );
    }
  };
  const reserve = (count: number): void => {
    if (count > limits.valueCharacters) {
      throw new EvaluationLimitError(
        `A value of the template would have ${count} characters, the limit is ${limits.valueCharacters}.`,
      );
    }
    characters += count;
    if (characters > limits.totalCharacters) {
      throw new EvaluationLimitError(
        `The values of the template have more than ${limits.totalCharacters} characters together.`,
      );
    }
    if (count > 65_536) checkTime();
  };
  const measure = (value: Json): Measure => {
    if (typeof value === "string") return { size: value.length + 2, depth: 0 };
    if (typeof value !== "object" || value === null) return scalar;
    const known = measures.get(value);
    if (known !== undefined) return known;
    let size = 2;
    let depth = 0;
    const names = Array.isArray(value) ? undefined : Object.keys(value);
    const members: readonly Json[] = Array.isArray(value) ? value : Object.values(value);
    for (const [index, member] of members.entries()) {
      const inner = measure(member);
      size += inner.size + 1 + (names?.[index]?.length ?? -3) + 3;
      depth = Math.max(depth, inner.depth);
    }
    if (depth >= maxValueDepth)
      throw new EvaluationLimitError(`A value of the template is nested deeper than ${maxValueDepth} levels.`);
    const measured = { size, depth: depth + 1 };
    measures.set(value, measured);
    return measured;
  };

  return {
    step: () => {
      steps += 1;
      if (steps > limits.steps) {
        throw new EvaluationLimitError(
          `The evaluation of the template needs more than ${limits.steps} steps. Make the template smaller or split it.`,
        );
      }
      if ((steps & 1023) === 0) checkTime();
    },
    reserve,
    work: (values) => {
      for (const value of values) worked += measure(value).size;
      if (worked < 1_000_000) return;
      worked = 0;
      checkTime();
    },
    admit: (value) => {
      const isNew = typeof value !== "object" || value === null || !measures.has(value);
      const { size } = measure(value);
      if (size > limits.valueCharacters) reserve(size);
      if (isNew) reserve(shallowSize(value));
      return value;
    },
    timed: (work) => {
      if (began !== undefined) return work();
      began = monotonicMilliseconds();
      try {
        return work();
      } finally {
        spent += monotonicMilliseconds() - began;
        began = undefined;
      }
    },
  };
}

interface Measure {
  readonly size: number;
  readonly depth: number;
}

const scalar: Measure = { size: 5, depth: 0 };
const maxValueDepth = 128;

function shallowSize(value: Json): number {
  if (typeof value === "string") return value.length + 2;
  if (Array.isArray(value)) return 2 + value.length * 8;
  if (typeof value === "object" && value !== null) return 2 + Object.keys(value).length * 16;
  return 5;
}
