// scan: a recursive query that walks the rows of each group one by one and carries the last match.

import type { Relation } from "../../plan/relation.ts";
import { orderClause } from "../aggregates.ts";
import { createEmitter } from "../scalar.ts";
import { fromClause, selectList, type Shape, type Steps } from "../shapes.ts";
import { columnName, literalSql, physicalTypes, plain, sql, type Sql } from "../sql.ts";

type Scan = Extract<Relation, { readonly kind: "scan" }>;

export function emitScan(node: Scan, input: Shape, steps: Steps): Shape {
  const emitter = createEmitter(steps.context, input.columns);
  const inputColumns = node.columns.filter(({ id }) => input.columns.has(id));
  const values = new Map(
    inputColumns.map((column) => [
      column.id,
      sql(column.type, plain(emitter.value({ kind: "column", column, type: column.type }))),
    ]),
  );
  const groups = node.partition.map((column) => emitter.columns.get(column.id)?.text ?? "NULL");
  const partition = groups.length === 0 ? "" : `PARTITION BY ${groups.join(", ")}`;
  const order = orderClause(node.order, emitter);
  const group = groups.length === 0 ? "0" : `dense_rank() OVER (ORDER BY ${groups.join(", ")})`;
  const rows = steps.add(
    `SELECT ${selectList(inputColumns, values)}, row_number() OVER (${partition}${order}) AS n, ${group} AS g${fromClause(input)}`,
    true,
  );
  const bare = createEmitter(steps.context, new Map());
  const defaults = new Map(node.declared.map(({ column, expression }) => [column.id, plain(bare.value(expression))]));
  const typed = (column: { readonly id: number; readonly type: Sql["type"] }, text: string): string =>
    `(${text})::${physicalTypes[column.type]} AS ${columnName(column.id)}`;
  const start = node.state.map(({ column, expression }) => {
    const source = expression.kind === "column" ? expression.column.id : -1;
    return typed(column, defaults.get(source) ?? literalSql(column.type, null).text);
  });
  const here = new Map<number, Sql>();
  for (const column of inputColumns) here.set(column.id, sql(column.type, `r.${columnName(column.id)}`));
  for (const { column } of node.declared) here.set(column.id, sql(column.type, defaults.get(column.id) ?? "NULL"));
  for (const { column } of node.state) here.set(column.id, sql(column.type, `s.${columnName(column.id)}`));
  const inside = createEmitter(steps.context, here);
  const matches = `coalesce(${inside.predicate(node.condition)}, false)`;
  const assigned = new Map(
    node.assignments.map(({ column, expression }) => [column.id, plain(inside.value(expression))]),
  );
  const next = node.state.map(({ column, expression }) => {
    const source = expression.kind === "column" ? expression.column : column;
    const value = assigned.get(source.id) ?? here.get(source.id)?.text ?? "NULL";
    return typed(column, `CASE WHEN ${matches} THEN ${value} ELSE s.${columnName(column.id)} END`);
  });
  const walk = steps.addRecursive(
    `SELECT DISTINCT g, 0::BIGINT AS n, false AS matched, ${start.join(", ")} FROM ${rows}` +
      ` UNION ALL SELECT r.g, r.n, ${matches} AS matched, ${next.join(", ")} FROM @self AS s JOIN ${rows} AS r ON r.g = s.g AND r.n = s.n + 1`,
  );
  const shown = node.columns.map((column) => {
    const state = node.state.find(
      ({ expression }) => expression.kind === "column" && expression.column.id === column.id,
    );
    const fromRow = inputColumns.some(({ id }) => id === column.id);
    return `${fromRow || state === undefined ? `r.${columnName(column.id)}` : `w.${columnName(state.column.id)}`} AS ${columnName(column.id)}`;
  });
  const name = steps.add(
    `SELECT ${shown.join(", ")} FROM ${walk} AS w JOIN ${rows} AS r ON r.g = w.g AND r.n = w.n WHERE w.matched`,
  );
  const columns = new Map<number, Sql>(
    node.columns.map((column) => [column.id, sql(column.type, columnName(column.id))]),
  );
  return { from: name, where: [], columns, computed: false };
}
