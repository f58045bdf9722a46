// Between which times the rows of a table can matter, as far as the conditions above it tell: a source
// may leave out what lies outside. The conditions themselves stay in the query.

import { containsNode, type Column, type Expression } from "../plan/expression.ts";
import type { Emitter, TimeBounds } from "./context.ts";

/** By the column's id. */
export type ColumnBounds = ReadonlyMap<number, TimeBounds>;

export const noBounds: ColumnBounds = new Map();

/** What is known below a filter. */
export function boundsBelow(predicate: Expression, known: ColumnBounds, emitter: Emitter): ColumnBounds {
  if (predicate.kind !== "call") return known;
  const [left, right, third] = predicate.args;
  if (left === undefined || right === undefined) return known;
  const narrow = (column: Expression, from: Expression | undefined, to: Expression | undefined): ColumnBounds =>
    narrowed(known, column, { from: moment(from, emitter), to: moment(to, emitter) });
  switch (predicate.name) {
    case "and":
      return boundsBelow(right, boundsBelow(left, known, emitter), emitter);
    case "greater":
    case "greaterOrEqual":
      return left.kind === "column" ? narrow(left, right, undefined) : narrow(right, undefined, left);
    case "less":
    case "lessOrEqual":
      return left.kind === "column" ? narrow(left, undefined, right) : narrow(right, left, undefined);
    case "equal":
      return left.kind === "column" ? narrow(left, right, right) : narrow(right, left, left);
    case "between":
      return narrow(left, right, third);
    default:
      return known;
  }
}

/** The same bounds for columns that go by other ids below. */
export function boundsThrough(
  known: ColumnBounds,
  columns: readonly (readonly [Column, Expression | undefined])[],
): ColumnBounds {
  if (known.size === 0) return known;
  let below = noBounds;
  for (const [column, expression] of columns) {
    const bounds = known.get(column.id);
    if (bounds !== undefined && expression !== undefined) below = narrowed(below, expression, bounds);
  }
  return below;
}

function narrowed(known: ColumnBounds, expression: Expression, { from, to }: TimeBounds): ColumnBounds {
  if (expression.kind !== "column" || expression.type !== "datetime") return known;
  const before = known.get(expression.column.id);
  const later = before?.from === undefined || (from !== undefined && from > before.from) ? from : before.from;
  const earlier = before?.to === undefined || (to !== undefined && to < before.to) ? to : before.to;
  return new Map([...known, [expression.column.id, { from: later, to: earlier }]]);
}

/** The ticks of an expression that needs no row to be known. */
function moment(expression: Expression | undefined, emitter: Emitter): bigint | undefined {
  if (expression === undefined || containsNode(expression, ({ kind }) => kind !== "literal" && kind !== "call"))
    return undefined;
  const { constant } = emitter.value(expression);
  return typeof constant === "bigint" ? constant : undefined;
}
