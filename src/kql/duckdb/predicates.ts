// Conditions where null counts as false (where, filters of aggregates, joins): comparisons stay bare,
// so that DuckDB can push them into the scan.

import type { CallExpression } from "../plan/expression.ts";
import type { Emitter } from "./context.ts";
import { compareSql, inList } from "./functions/logic.ts";

const bare: Readonly<Record<string, string>> = {
  equal: "=",
  less: "<",
  lessOrEqual: "<=",
  greater: ">",
  greaterOrEqual: ">=",
};

/** Lean SQL for the call, or undefined when it has no lean form. */
export function emitPredicateCall(call: CallExpression, emitter: Emitter): string | undefined {
  const [left, right] = call.args;
  if (call.name === "and" || call.name === "or") {
    if (left === undefined || right === undefined) return undefined;
    return `(${emitter.predicate(left)} ${call.name.toUpperCase()} ${emitter.predicate(right)})`;
  }
  if (call.name === "isnotempty" && left !== undefined && left.type === "string") {
    return `(${emitter.value(left).text} <> '')`;
  }
  const operator = bare[call.name];
  if (operator !== undefined && left !== undefined && right !== undefined) {
    if (left.type === "dynamic" || left.type === "real") return undefined;
    return compareSql(operator, emitter.value(left), emitter.value(right));
  }
  if (call.name === "between") {
    const [value, from, to] = call.args.map((arg) => emitter.value(arg));
    if (value === undefined || from === undefined || to === undefined || value.type === "real") return undefined;
    return `(${compareSql(">=", value, from)} AND ${compareSql("<=", value, to)})`;
  }
  if (call.name === "in") {
    const [value, ...list] = call.args.map((arg) => emitter.value(arg));
    if (value === undefined || list.some(({ constant }) => constant === undefined || constant === null))
      return undefined;
    if (value.type === "string" && list.some(({ constant }) => constant === "")) return undefined;
    return inList(value, list);
  }
  return undefined;
}
