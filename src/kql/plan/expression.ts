// Scalar expressions of a plan: typed, with every name resolved. Nothing here knows a SQL dialect.
// One factory a node; nodes are frozen and travel between threads as plain objects.

import type { Span } from "../errors.ts";
import type { ScalarType } from "../types.ts";
import type { Relation } from "./relation.ts";

/** A column of the plan; `id` is unique in it, `name` is what the user sees. */
export interface Column {
  readonly id: number;
  readonly name: string;
  readonly type: ScalarType;
}

/** datetime and timespan are ticks, dynamic is JSON text, decimal is text. */
export type LiteralValue = null | boolean | bigint | number | string;

export interface ColumnExpression {
  readonly kind: "column";
  readonly column: Column;
  readonly type: ScalarType;
}

export interface LiteralExpression {
  readonly kind: "literal";
  readonly type: ScalarType;
  readonly value: LiteralValue;
}

export interface CallExpression {
  readonly kind: "call";
  readonly name: string;
  readonly args: readonly Expression[];
  readonly type: ScalarType;
  readonly span: Span | undefined;
}

/** Only among the aggregates of an aggregate node. */
export interface AggregateExpression {
  readonly kind: "aggregate";
  readonly name: string;
  readonly args: readonly Expression[];
  /** Rows for which this is not true do not count. */
  readonly predicate: Expression | undefined;
  readonly type: ScalarType;
  readonly span: Span | undefined;
}

/** Only among the items of a window node; the node carries order and partition. */
export interface WindowExpression {
  readonly kind: "window";
  readonly name: string;
  readonly args: readonly Expression[];
  readonly type: ScalarType;
  readonly span: Span | undefined;
}

/** The single value of a query with one column; null when it has no row. */
export interface ScalarQueryExpression {
  readonly kind: "scalarQuery";
  readonly query: Relation;
  readonly column: Column;
  readonly type: ScalarType;
}

export interface InQueryExpression {
  readonly kind: "inQuery";
  readonly value: Expression;
  readonly query: Relation;
  readonly column: Column;
  readonly ignoreCase: boolean;
  readonly type: "bool";
}

export type Expression =
  | ColumnExpression
  | LiteralExpression
  | CallExpression
  | AggregateExpression
  | WindowExpression
  | ScalarQueryExpression
  | InQueryExpression;

export function columnOf(column: Column): ColumnExpression {
  return Object.freeze({ kind: "column", column, type: column.type });
}

export function literal(type: ScalarType, value: LiteralValue): LiteralExpression {
  return Object.freeze({ kind: "literal", type, value });
}

export function call(name: string, args: readonly Expression[], type: ScalarType, span?: Span): CallExpression {
  return Object.freeze({ kind: "call", name, args, type, span });
}

export function aggregate(
  name: string,
  args: readonly Expression[],
  type: ScalarType,
  predicate?: Expression,
  span?: Span,
): AggregateExpression {
  return Object.freeze({ kind: "aggregate", name, args, predicate, type, span });
}

export function windowCall(name: string, args: readonly Expression[], type: ScalarType, span?: Span): WindowExpression {
  return Object.freeze({ kind: "window", name, args, type, span });
}

export function scalarQuery(query: Relation, column: Column): ScalarQueryExpression {
  return Object.freeze({ kind: "scalarQuery", query, column, type: column.type });
}

export function inQuery(value: Expression, query: Relation, column: Column, ignoreCase: boolean): InQueryExpression {
  return Object.freeze({ kind: "inQuery", value, query, column, ignoreCase, type: "bool" });
}

const sizes = new WeakMap<Expression, number>();

/** How many nodes there are when shared parts count each time that they appear. */
export function sizeOf(expression: Expression): number {
  const known = sizes.get(expression);
  if (known !== undefined) return known;
  const size = partsOf(expression).reduce((sum, part) => sum + sizeOf(part), 1);
  sizes.set(expression, size);
  return size;
}

function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case "call":
    case "window":
      return expression.args;
    case "aggregate":
      return expression.predicate === undefined ? expression.args : [...expression.args, expression.predicate];
    case "inQuery":
      return [expression.value];
    default:
      return [];
  }
}

/** Whether any node of the tree satisfies the test. */
export function containsNode(expression: Expression, test: (node: Expression) => boolean): boolean {
  return test(expression) || partsOf(expression).some((part) => containsNode(part, test));
}
