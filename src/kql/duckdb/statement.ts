// A result table of the plan to one SQL statement.

import type { Relation, ResultTable } from "../plan/relation.ts";
import type { ScalarType } from "../types.ts";
import { orderClause } from "./aggregates.ts";
import type { EmitContext, FindSource, RuntimeUse } from "./context.ts";
import { emitRelation, isNatural } from "./relations.ts";
import { createSteps, fromClause, type Shape, type Steps } from "./shapes.ts";
import { plain } from "./sql.ts";

export interface StatementOptions {
  readonly now: bigint;
  readonly wrap: boolean;
  readonly source: FindSource;
}

export interface Statement {
  readonly text: string;
  readonly runtimeUses: readonly RuntimeUse[];
  /** How each result column is stored. */
  readonly columns: readonly { readonly name: string; readonly type: ScalarType; readonly timestamp: boolean }[];
}

export function emitStatement(table: ResultTable, options: StatementOptions): Statement {
  const runtimeUses = new Map<string, RuntimeUse>();
  const holder: { steps?: Steps } = {};
  const context: EmitContext = {
    ...options,
    runtimeUses,
    // A query inside an expression puts its steps before the one that reads it.
    emitQuery: (relation: Relation, columnId: number) => {
      const { steps } = holder;
      if (steps === undefined) throw new Error("A query was emitted outside of a statement.");
      return selectOne(emitRelation(relation, steps), columnId);
    },
  };
  const steps = createSteps(context);
  holder.steps = steps;
  const shape = emitRelation(table.relation, steps);
  const columns = table.columns.map((column) => ({ column, value: shape.columns.get(column.id) }));
  const list = columns.map(({ value }, index) => `${value?.text ?? "NULL"} AS r${index}`);
  const order = isNatural(table.order, shape) ? "" : orderClause(table.order, { columns: shape.columns });
  const select = `SELECT ${list.length === 0 ? "1 AS r0" : list.join(", ")}${fromClause(shape)}${order}`;
  return {
    text: steps.parts.length === 0 ? select : `WITH RECURSIVE ${steps.parts.join(", ")} ${select}`,
    runtimeUses: [...runtimeUses.values()],
    columns: columns.map(({ column, value }) => ({
      name: column.name,
      type: column.type,
      timestamp: value?.timestamp === true,
    })),
  };
}

function selectOne(shape: Shape, columnId: number): string {
  const value = shape.columns.get(columnId);
  return `SELECT ${value === undefined ? "NULL" : plain(value)}${fromClause(shape)}`;
}
