// Union: one SELECT for each input; a datetime is kept as stored only where all inputs store it.

import type { Relation } from "../../plan/relation.ts";
import { createEmitter } from "../scalar.ts";
import { fromClause, type Shape, type Steps } from "../shapes.ts";
import { columnName, plain, sql, type Sql } from "../sql.ts";

type Union = Extract<Relation, { readonly kind: "union" }>;

export function emitUnion(node: Union, inputs: readonly Shape[], steps: Steps): Shape {
  const rows = node.rows.map((row, index) => {
    const emitter = createEmitter(steps.context, inputs[index]?.columns ?? new Map());
    return row.map((expression) => emitter.value(expression));
  });
  const stored = node.columns.map((_, index) => rows.every((row) => row[index]?.timestamp === true));
  const selects = rows.map((row, index) => {
    const list = node.columns.map((column, position) => {
      const value = row[position];
      const text = value === undefined ? "NULL" : (stored[position] ?? false) ? value.text : plain(value);
      return `${text} AS ${columnName(column.id)}`;
    });
    const shape = inputs[index];
    return `SELECT ${list.length === 0 ? "1 AS c0" : list.join(", ")}${shape === undefined ? "" : fromClause(shape)}`;
  });
  const columns = new Map<number, Sql>(
    node.columns.map((column, index) => [
      column.id,
      sql(column.type, columnName(column.id), { timestamp: stored[index] ?? false }),
    ]),
  );
  return { from: steps.add(selects.join(" UNION ALL ")), where: [], columns, computed: false };
}
