// sort, top, take, sample, sample-distinct, count: what depends on order and number of rows.

import { aggregate, call, type Column, type Expression } from "../../plan/expression.ts";
import { relation, type SortKey } from "../../plan/relation.ts";
import { child, items, kindOf, optional, tokenText, type SyntaxNode } from "../../syntax/node.ts";
import type { Scope } from "../scope.ts";
import type { Bound, Session } from "../session.ts";
import { environmentOf, extendHidden, keep, sorted, WindowCollector } from "../tables.ts";
import { constantNumber, item } from "./shape.ts";
import { suggestedName } from "../names.ts";

export function bindSort(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  return sortBy(session, items(node, "Expressions"), input, scope);
}

export function sortBy(session: Session, nodes: readonly SyntaxNode[], input: Bound, scope: Scope): Bound {
  const windows = new WindowCollector(session);
  const environment = { ...environmentOf(input, scope), window: windows.take };
  const computed: { column: Column; expression: Expression }[] = [];
  const keys = nodes.map((node): SortKey => {
    const ordering = kindOf(node) === "OrderedExpression" ? child(node, "Ordering") : undefined;
    const expression = session.expression(ordering === undefined ? node : child(node, "Expression"), environment);
    const descending = ordering === undefined || tokenText(ordering, "AscOrDescKeyword") !== "asc";
    const nulls = ordering === undefined ? undefined : optional(ordering, "NullsClause");
    const nullsFirst = nulls === undefined ? !descending : tokenText(nulls, "FirstOrLastKeyword") === "first";
    if (expression.kind === "column") return { column: expression.column, descending, nullsFirst };
    const column = session.newColumn("key", expression.type);
    computed.push({ column, expression });
    return { column, descending, nullsFirst };
  });
  const below = windows.below(input);
  return { ...input, relation: extendHidden(below, computed), order: sorted(keys, input.order) };
}

export function limit(bound: Bound, count: Expression): Bound {
  return {
    ...bound,
    relation: relation({
      kind: "limit",
      input: bound.relation,
      count,
      order: bound.order,
      partition: bound.partition,
      columns: bound.relation.columns,
    }),
  };
}

export function bindTake(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  return limit(input, constantNumber(session, child(node, "Expression"), scope));
}

export function bindTop(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const ordered = sortBy(session, [child(node, "ByExpression")], input, scope);
  return limit(ordered, constantNumber(session, child(node, "Expression"), scope));
}

export function bindSample(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const column = session.newColumn("chance", "real");
  const shuffled: Bound = {
    ...input,
    relation: extendHidden(input, [{ column, expression: call("rand", [], "real") }]),
    order: [{ column, descending: false, nullsFirst: true }],
  };
  return { ...limit(shuffled, constantNumber(session, child(node, "Expression"), scope)), order: [] };
}

export function bindSampleDistinct(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const of = child(node, "OfExpression");
  const expression = session.expression(of, environmentOf(input, scope));
  const key = item(session, suggestedName(of) ?? "Column1", expression);
  const keys = [key, ...input.partition.map(keep)];
  const distinct: Bound = {
    relation: relation({
      kind: "aggregate",
      input: input.relation,
      keys,
      aggregates: [],
      order: [],
      columns: keys.map(({ column }) => column),
    }),
    columns: [key.column],
    order: [],
    partition: input.partition,
  };
  return limit(distinct, constantNumber(session, child(node, "Expression"), scope));
}

export function bindCount(session: Session, node: SyntaxNode, input: Bound): Bound {
  const alias = optional(node, "AsIdentifier");
  const name = alias === undefined ? "Count" : tokenText(alias, "Identifier");
  const column = session.newColumn(name, "long");
  const keys = input.partition.map(keep);
  return {
    relation: relation({
      kind: "aggregate",
      input: input.relation,
      keys,
      aggregates: [{ column, expression: aggregate("count", [], "long") }],
      order: [],
      columns: [...input.partition, column],
    }),
    columns: [column],
    order: [],
    partition: input.partition,
  };
}

export function bindTopHitters(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const environment = environmentOf(input, scope);
  const of = child(node, "OfExpression");
  const key = item(session, suggestedName(of) ?? "Column1", session.expression(of, environment));
  const by = optional(node, "ByClause");
  const weight = by === undefined ? undefined : child(by, "Expression");
  const value = weight === undefined ? undefined : session.expression(weight, environment);
  const found =
    value === undefined
      ? aggregate("count", [], "long")
      : aggregate("sum", [value], value.type === "int" ? "long" : value.type);
  const name =
    weight === undefined ? `approximate_count_${key.column.name}` : `approximate_sum_${suggestedName(weight) ?? ""}`;
  const column = session.newColumn(name, found.type);
  const grouped: Bound = {
    relation: relation({
      kind: "aggregate",
      input: input.relation,
      keys: [key, ...input.partition.map(keep)],
      aggregates: [{ column, expression: found }],
      order: [],
      columns: [key.column, ...input.partition, column],
    }),
    columns: [key.column, column],
    order: [
      { column, descending: true, nullsFirst: false },
      { column: key.column, descending: true, nullsFirst: false },
    ],
    partition: input.partition,
  };
  return limit(grouped, constantNumber(session, child(node, "Expression"), scope));
}
