// scan over the rows of one group: each row is offered to the steps once, so the time is rows x steps.

import { text as textOf, type RuntimeFunction } from "../value.ts";
import type { WalkProgram } from "./program.ts";
import { compileCall, type Evaluate } from "./calls.ts";
import type { WalkExpression } from "./program.ts";
import { fromText, toText, type WalkValue } from "./values.ts";

/** What the walk gives is one text; each row in it has a number, a sequence and the declared columns. */
const longestOutput = 128 * 1024 * 1024;

/** Arguments: the program, how many rows there are, and a list of texts for each column of the program. */
const scanWalk: RuntimeFunction = ([program, count, ...lists]) => {
  const output: string[] = [];
  let size = 0;
  walkerOf(textOf(program)).run(Number(count), lists, (entry) => {
    size += entry.length + 1;
    if (size > longestOutput) throw new Error(`memory limit: scan gave more than ${longestOutput} characters`);
    output.push(entry);
  });
  return `[${output.join(",")}]`;
};

export const scanFunctions: Readonly<Record<string, RuntimeFunction>> = { scan_walk: scanWalk };

/** The groups of one scan follow each other: its program is prepared for the first of them. */
let latest: { readonly text: string; readonly walker: Walker } | undefined;

function walkerOf(text: string): Walker {
  if (latest?.text !== text) latest = { text, walker: new Walker(JSON.parse(text) as WalkProgram) };
  return latest.walker;
}

type Emit = (entry: string) => void;

/** Where the sequence stands that has come as far as one step. */
interface Place {
  active: boolean;
  sequence: bigint;
  /** By memory; only those of this step and of earlier ones count. */
  held: WalkValue[];
  /** The last row of the sequence, where the step gives only that. */
  pending: string | undefined;
}

interface CompiledStep {
  readonly output: "all" | "last" | "none";
  readonly condition: Evaluate;
  readonly assignments: readonly (Evaluate | null)[];
}

class Walker {
  readonly #program: WalkProgram;
  readonly #steps: readonly CompiledStep[];
  readonly #row: WalkValue[] = [];
  /** The memories as the expression that is being evaluated sees them. */
  #seen: readonly WalkValue[] = [];

  constructor(program: WalkProgram) {
    this.#program = program;
    this.#steps = program.steps.map(({ output, condition, assignments }) => ({
      output,
      condition: this.#compile(condition),
      assignments: assignments.map((item) => (item === null ? null : this.#compile(item))),
    }));
  }

  run(count: number, lists: readonly unknown[], emit: Emit): void {
    const { columns } = this.#program;
    const places = this.#steps.map((): Place => ({ active: false, sequence: 0n, held: [], pending: undefined }));
    let sequences = 0n;
    for (let number = 0; number < count; number += 1) {
      columns.forEach((type, index) => {
        const list = lists[index];
        const value: unknown = Array.isArray(list) ? list[number] : null;
        this.#row[index] = fromText(type, typeof value === "string" ? value : null);
      });
      if (this.#offer(places, number, sequences, emit)) sequences += 1n;
    }
    for (const { pending } of places) if (pending !== undefined) emit(pending);
  }

  /** Offers the row to every step; whether it began a sequence. */
  #offer(places: readonly Place[], number: number, sequences: bigint, emit: Emit): boolean {
    const empty = this.#initial();
    // What stood before the row decides, so all steps are asked before any moves.
    const promoted = this.#steps.map((_, k) => this.#promotes(places, k, empty));
    const stays = this.#steps.map(
      (_, k) => promoted[k] !== true && this.#stays(places, k, promoted[k + 1] === true, empty),
    );
    const begins = stays[0] === true && (places[0]?.active !== true || promoted[1] === true);
    for (let k = this.#steps.length - 1; k >= 0; k -= 1) {
      const [place, before, step] = [places[k], places[k - 1], this.#steps[k]];
      if (place === undefined || step === undefined) continue;
      const left = promoted[k + 1] === true;
      if (promoted[k] === true || stays[k] === true) {
        const from = promoted[k] === true ? before : place;
        this.#seen = this.#view(
          k === 0 && left ? empty : (from?.held ?? empty),
          promoted[k] === true ? k - 1 : k,
          empty,
        );
        const assigned = this.#assign(step);
        const held = this.#remember(k, assigned);
        if (promoted[k] === true) place.sequence = before?.sequence ?? 0n;
        else if (k === 0 && begins) place.sequence = sequences;
        const begun = k === 0 ? begins : promoted[k] === true;
        give(place, step.output, entryOf(number, place.sequence, assigned), begun, emit);
        place.active = true;
        place.held = held;
      } else if (left) {
        place.active = false;
        place.held = [...empty];
      }
    }
    return begins;
  }

  /** Whether the row takes the sequence of the step before on to step k. */
  #promotes(places: readonly Place[], k: number, empty: readonly WalkValue[]): boolean {
    const before = places[k - 1];
    if (before?.active !== true) return false;
    this.#seen = this.#view(before.held, k - 1, empty);
    return this.#steps[k]?.condition() === true;
  }

  /** Whether the row replaces what step k itself remembers; the first step begins sequences. */
  #stays(places: readonly Place[], k: number, left: boolean, empty: readonly WalkValue[]): boolean {
    const place = places[k];
    if (place === undefined || (k > 0 && (!place.active || left))) return false;
    this.#seen = this.#view(left ? empty : place.held, k, empty);
    return this.#steps[k]?.condition() === true;
  }

  /** Memories of the steps up to `last`; later ones hold nothing yet. */
  #view(held: readonly WalkValue[], last: number, empty: readonly WalkValue[]): readonly WalkValue[] {
    return this.#program.memories.map(({ step }, index) => {
      const value = step <= last ? held[index] : empty[index];
      return value === undefined ? (empty[index] ?? null) : value;
    });
  }

  #initial(): WalkValue[] {
    return this.#program.memories.map(({ declared, row, type }) =>
      declared === undefined ? fromText(type, null) : (this.#row[row] ?? null),
    );
  }

  #assign(step: CompiledStep): WalkValue[] {
    return this.#program.declared.map(({ row }, index) => {
      const assignment = step.assignments[index];
      return assignment === null || assignment === undefined ? (this.#row[row] ?? null) : assignment();
    });
  }

  /** What the step knows after the row: the row itself for its own memories, those of before for the others. */
  #remember(k: number, assigned: readonly WalkValue[]): WalkValue[] {
    return this.#program.memories.map(({ step, declared, row }, index) => {
      if (step !== k) return this.#seen[index] ?? null;
      return (declared === undefined ? this.#row[row] : assigned[declared]) ?? null;
    });
  }

  #compile(expression: WalkExpression): Evaluate {
    switch (expression.kind) {
      case "row":
        return () => this.#row[expression.index] ?? null;
      case "memory":
        return () => this.#seen[expression.index] ?? null;
      case "literal": {
        const value = fromText(expression.type, expression.value);
        return () => value;
      }
      default:
        return compileCall(
          expression.name,
          expression.args.map((arg) => this.#compile(arg)),
          expression,
        );
    }
  }
}

function give(place: Place, output: CompiledStep["output"], entry: string, begun: boolean, emit: Emit): void {
  if (output === "all") emit(entry);
  if (output !== "last") return;
  if (begun && place.pending !== undefined) emit(place.pending);
  place.pending = entry;
}

function entryOf(number: number, sequence: bigint, assigned: readonly WalkValue[]): string {
  const fields = assigned.map((value, index) => `,"d${index}":${JSON.stringify(toText(value))}`);
  return `{"n":"${number + 1}","q":"${sequence}"${fields.join("")}}`;
}
