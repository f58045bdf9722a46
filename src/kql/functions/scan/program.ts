// What a scan does, as the dialect hands it over in a text: which columns the rows bring, what each step
// tests and assigns, and what it remembers.

import type { ScalarType } from "../../types.ts";

/** Values travel as texts; null is null. */
export type Passed = string | null;

export type WalkExpression =
  /** A value of the row, computed before the walk: everything that depends on nothing else. */
  | { readonly kind: "row"; readonly index: number }
  | { readonly kind: "memory"; readonly index: number }
  | { readonly kind: "literal"; readonly type: ScalarType; readonly value: Passed }
  | {
      readonly kind: "call";
      readonly name: string;
      readonly type: ScalarType;
      readonly args: readonly WalkExpression[];
      readonly argTypes: readonly ScalarType[];
    };

/** A value of the row that a step matched last. */
export interface WalkMemory {
  readonly step: number;
  /** The declared column that it holds; undefined for a column of the input. */
  readonly declared: number | undefined;
  /** The column of the row that holds it where no step assigned it. */
  readonly row: number;
  readonly type: ScalarType;
}

export interface WalkStep {
  readonly output: "all" | "last" | "none";
  readonly condition: WalkExpression;
  /** One place for each declared column; null where the step assigns nothing. */
  readonly assignments: readonly (WalkExpression | null)[];
}

export interface WalkProgram {
  readonly columns: readonly ScalarType[];
  /** Of each declared column, the column of the row with its default. */
  readonly declared: readonly { readonly type: ScalarType; readonly row: number }[];
  readonly memories: readonly WalkMemory[];
  readonly steps: readonly WalkStep[];
}
