// What the last calls over single rows gave. A constant call that fails is tried anew by each pass of
// DuckDB's optimizer, its arguments included: some twenty times, on the thread that all queries share.
// All functions give the same for the same arguments, so the outcome is told again.

import type { DuckDBValue } from "@duckdb/node-api";

type Told = string | bigint | number | boolean | null;

interface Call {
  readonly name: string;
  readonly values: readonly DuckDBValue[];
  readonly outcome: { readonly value: Told } | { readonly failure: unknown };
}

const mostCalls = 4;
/** Longer texts are not kept: they would outlive their query. */
const longestKept = 8 * 1024 * 1024;

export interface ToldAgain {
  /** The outcome of `run`, or of the same call before. */
  of(name: string, values: readonly DuckDBValue[], run: () => Told): Told;
}

export function createToldAgain(): ToldAgain {
  const calls: Call[] = [];
  return {
    of(name, values, run) {
      let call = calls.find((known) => known.name === name && isSame(known.values, values));
      if (call === undefined) {
        call = { name, values, outcome: outcomeOf(run) };
        if (sizeOf(call) <= longestKept) calls.push(call);
        if (calls.length > mostCalls) calls.shift();
      }
      if ("failure" in call.outcome) throw call.outcome.failure;
      return call.outcome.value;
    },
  };
}

const isSame = (left: readonly DuckDBValue[], right: readonly DuckDBValue[]): boolean =>
  left.every((value, index) => Object.is(value, right[index]));

function sizeOf({ values, outcome }: Call): number {
  const all = "value" in outcome ? [...values, outcome.value] : values;
  return all.reduce<number>((sum, value) => sum + (typeof value === "string" ? value.length : 0), 0);
}

function outcomeOf(run: () => Told): Call["outcome"] {
  try {
    return { value: run() };
  } catch (failure) {
    return { failure };
  }
}
