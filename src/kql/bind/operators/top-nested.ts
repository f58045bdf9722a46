// top-nested: for each level the best groups within each group of the level above.

import { unsupported } from "../../errors.ts";
import { columnOf, type AggregateExpression, type Column, type Expression } from "../../plan/expression.ts";
import { relation, type SortKey } from "../../plan/relation.ts";
import { child, items, kindOf, nameOf, optional, spanOf, tokenText, type SyntaxNode } from "../../syntax/node.ts";
import { suggestedName } from "../names.ts";
import type { Scope } from "../scope.ts";
import type { Bound, Session } from "../session.ts";
import { environmentOf, keep, project } from "../tables.ts";
import { share } from "./expand.ts";
import { limit } from "./order.ts";
import { constantNumber, item } from "./shape.ts";

export function bindTopNested(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const levels = items(node, "Clauses");
  const environment = environmentOf(input, scope);
  const keyItems = levels.map((level) => {
    const of = child(level, "OfExpression");
    return item(session, suggestedName(of) ?? "Column1", session.expression(of, environment));
  });
  const prepared = project(input, [
    ...input.columns.map(keep),
    ...keyItems.filter(({ column }) => !input.columns.includes(column)),
  ]);
  const source = share(session, { ...prepared, columns: prepared.columns });
  let chosen: { readonly bound: Bound; readonly keys: readonly Column[] } | undefined;
  levels.forEach((level, depth) => {
    if (optional(level, "WithOthersClause") !== undefined) throw unsupported("top-nested with others", spanOf(level));
    const rows = source();
    const keys = keyItems
      .slice(0, depth + 1)
      .map(({ column }) => rows.columns.find(({ name }) => name === column.name) ?? column);
    chosen = chooseLevel(session, level, rows, keys, chosen, scope);
  });
  if (chosen === undefined) throw unsupported("top-nested without levels", spanOf(node));
  return chosen.bound;
}

function chooseLevel(
  session: Session,
  level: SyntaxNode,
  rows: Bound,
  keys: readonly Column[],
  above: { readonly bound: Bound; readonly keys: readonly Column[] } | undefined,
  scope: Scope,
): { readonly bound: Bound; readonly keys: readonly Column[] } {
  const by = child(level, "ByExpression");
  const ordered = kindOf(by) === "OrderedExpression";
  const expressionNode = ordered ? child(by, "Expression") : by;
  const descending = !ordered || tokenText(child(by, "Ordering"), "AscOrDescKeyword") !== "asc";
  const found: { readonly column: Column; readonly expression: AggregateExpression }[] = [];
  const value = session.expression(expressionNode, {
    ...environmentOf(rows, scope),
    aggregate: (aggregate) => {
      const column = session.newColumn(aggregate.name, aggregate.type);
      found.push({ column, expression: aggregate });
      return columnOf(column);
    },
  });
  const grouped: Bound = {
    relation: relation({
      kind: "aggregate",
      input: rows.relation,
      keys: keys.map(keep),
      aggregates: found,
      order: [],
      columns: [...keys, ...found.map(({ column }) => column)],
    }),
    columns: [...keys, ...found.map(({ column }) => column)],
    order: [],
    partition: [],
  };
  const last = keys.at(-1);
  const given = kindOf(expressionNode) === "SimpleNamedExpression" ? nameOf(child(expressionNode, "Name")) : undefined;
  const measure = session.newColumn(given ?? `aggregated_${last?.name ?? ""}`, value.type);
  let bound = project(grouped, [...keys.map(keep), { column: measure, expression: value }]);
  const shownAbove: Column[] = [];
  if (above !== undefined) {
    const on = above.keys.map((key, index): readonly [Expression, Expression] => [
      columnOf(keys[index] ?? key),
      columnOf(key),
    ]);
    shownAbove.push(...above.bound.columns);
    bound = {
      ...bound,
      relation: relation({
        kind: "join",
        joinKind: "inner",
        left: bound.relation,
        right: above.bound.relation,
        on,
        columns: [...bound.relation.columns, ...above.bound.relation.columns],
      }),
    };
  }
  const order: SortKey[] = [{ column: measure, descending, nullsFirst: false }];
  if (last !== undefined) order.push({ column: last, descending: false, nullsFirst: true });
  const count = optional(level, "Expression");
  const partition = keys.slice(0, -1);
  const ranked: Bound = { ...bound, order, partition };
  const cut = count === undefined ? ranked : limit(ranked, constantNumber(session, count, scope));
  const shown = [...shownAbove, ...(last === undefined ? [] : [last]), measure];
  return { bound: project({ ...cut, order: [], partition: [] }, shown.map(keep)), keys };
}
