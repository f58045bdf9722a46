// What both forms of scan begin with: the numbered rows, and what steps remember of them.

import { containsNode, type Column, type Expression } from "../../plan/expression.ts";
import type { Relation, ScanStep } from "../../plan/relation.ts";
import { orderClause } from "../aggregates.ts";
import { createEmitter } from "../scalar.ts";
import { fromClause, groupTexts, selectList, type Shape, type Steps } from "../shapes.ts";
import { plain, sql } from "../sql.ts";

export type Scan = Extract<Relation, { readonly kind: "scan" }>;

/** A value of a matched row that some expression reads: the step that matched it, and the column. */
export interface Memory {
  readonly step: number;
  /** The column of the plan that stands for it in expressions. */
  readonly id: number;
  /** The column of the row. */
  readonly source: Column;
}

/** The rows of the input with their group `g`, their number in it `n`, and more columns. */
export function emitScanRows(
  node: Scan,
  input: Shape,
  inputColumns: readonly Column[],
  more: readonly string[],
  steps: Steps,
): string {
  const emitter = createEmitter(steps.context, input.columns);
  const values = new Map(
    inputColumns.map((column) => [
      column.id,
      sql(column.type, plain(emitter.value({ kind: "column", column, type: column.type }))),
    ]),
  );
  const groups = groupTexts(node.partition, emitter.columns);
  const partition = groups.length === 0 ? "" : `PARTITION BY ${groups.join(", ")}`;
  const group = groups.length === 0 ? "0" : `dense_rank() OVER (ORDER BY ${groups.join(", ")})`;
  const list = [...(inputColumns.length === 0 ? [] : [selectList(inputColumns, values)]), ...more];
  return steps.add(
    `SELECT ${[...list, `row_number() OVER (${partition}${orderClause(node.order, emitter)}) AS n`, `${group} AS g`].join(", ")}${fromClause(input)}`,
    true,
  );
}

/** Only what an expression reads is remembered. */
export function memoriesOf(steps: readonly ScanStep[]): Memory[] {
  const expressions: Expression[] = steps.flatMap(({ condition, assignments }) => [
    condition,
    ...assignments.map(({ expression }) => expression),
  ]);
  const reads = (id: number): boolean =>
    expressions.some((expression) =>
      containsNode(expression, (node) => node.kind === "column" && node.column.id === id),
    );
  return steps.flatMap(({ state }, step) =>
    state.flatMap(({ column, expression }): Memory[] =>
      expression.kind === "column" && reads(column.id) ? [{ step, id: column.id, source: expression.column }] : [],
    ),
  );
}
