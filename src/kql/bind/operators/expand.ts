// mv-expand, mv-apply and partition: rows out of arrays, and pipes that run for each group apart.

import { unsupported } from "../../errors.ts";
import { call, columnOf, type Column, type Expression } from "../../plan/expression.ts";
import { relation, type ExpandItem, type Item } from "../../plan/relation.ts";
import { child, items, kindOf, optional, parametersOf, spanOf, wordOf, type SyntaxNode } from "../../syntax/node.ts";
import type { ScalarType } from "../../types.ts";
import { isNumeric, typeNamed } from "../../types.ts";
import { cast } from "../casts.ts";
import { typeOfNames } from "../literals.ts";
import { suggestedName, UniqueNames } from "../names.ts";
import { Scope } from "../scope.ts";
import type { Bound, Session } from "../session.ts";
import { environmentOf, extendHidden, hiddenColumns, keep, numbered, project } from "../tables.ts";
import { constantNumber } from "./shape.ts";

interface Expansion {
  readonly bound: Bound;
  /** The expanded columns by their position among the columns. */
  readonly items: readonly Item[];
}

export function bindMvExpand(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  return expansion(session, node, input, scope, true).bound;
}

function expansion(session: Session, node: SyntaxNode, input: Bound, scope: Scope, keepNull: boolean): Expansion {
  const parameters = parametersOf(node);
  const kind = parameters.get("kind") ?? parameters.get("bagexpansion");
  const bagAsArray = kind !== undefined && wordOf(kind).toLowerCase() === "array";
  const limitClause = optional(node, "RowLimitClause");
  const sources = items(node, "Expressions").map((entry) => sourceOf(session, entry, input, scope));
  const index = session.newColumn("index", "long");
  const expanded: ExpandItem[] = sources.map(({ expression, name }) => ({
    column: session.newColumn(name, "dynamic"),
    source: expression.type === "dynamic" ? expression : cast(expression, "dynamic"),
    bagAsArray,
  }));
  const present = [...input.columns, ...hiddenColumns(input, input.columns)];
  const unfolded: Bound = {
    ...input,
    relation: relation({
      kind: "expand",
      input: input.relation,
      items: expanded,
      index,
      limit: limitClause === undefined ? undefined : constantNumber(session, child(limitClause, "RowLimit"), scope),
      keepNull,
      columns: [...present, index, ...expanded.map(({ column }) => column)],
    }),
    order: [...input.order, { column: index, descending: false, nullsFirst: true }],
  };
  const typed = expanded.map(({ column }, position): Item => {
    const { name, type } = sources[position] ?? { name: column.name, type: undefined };
    if (type === undefined || type === "dynamic") return { column: { ...column, name }, expression: columnOf(column) };
    return { column: session.newColumn(name, type), expression: elementAs(column, type) };
  });
  const indexName = parameters.get("with_itemindex");
  const names = new UniqueNames([...input.columns, ...expanded.map(({ column }) => column)].map(({ name }) => name));
  const extra: Item[] =
    indexName === undefined
      ? []
      : [{ column: { ...index, name: names.take(wordOf(indexName)) }, expression: columnOf(index) }];
  const byName = new Map(typed.map((item) => [item.column.name, item]));
  const shown = input.columns.map((column) => byName.get(column.name) ?? keep(column));
  const known = new Set(input.columns.map(({ name }) => name));
  const added = typed.filter(({ column }) => !known.has(column.name));
  return { bound: project(unfolded, [...shown, ...added, ...extra]), items: typed };
}

/** An element becomes a value of the wanted type; a text is not read as a number, nor a fraction as a bool. */
function elementAs(column: Column, type: ScalarType): Expression {
  const value = columnOf(column);
  if (!isNumeric(type) && type !== "bool") return cast(value, type);
  const number = call("notText", [value], "dynamic");
  return cast(type === "bool" ? call("notFraction", [number], "dynamic") : number, type);
}

function sourceOf(
  session: Session,
  entry: SyntaxNode,
  input: Bound,
  scope: Scope,
): { readonly expression: Expression; readonly name: string; readonly type: ScalarType | undefined } {
  const typeClause = optional(entry, "ToTypeOf");
  const inner = child(entry, "Expression");
  const expression = session.expression(inner, environmentOf(input, scope));
  const names = new UniqueNames();
  const name = suggestedName(inner) ?? names.take("Column1");
  const typeName = typeClause === undefined ? undefined : typeOfNames(child(typeClause, "TypeOf"))[0];
  return { expression, name, type: typeName === undefined ? undefined : typeNamed(typeName) };
}

export function bindMvApply(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  if (optional(node, "ContextIdClause") !== undefined) throw unsupported("mv-apply with id", spanOf(node));
  const { bound: counted, number } = numbered(session, input);
  const shared = share(session, { ...counted, columns: [...counted.columns, number] });
  const left = shared();
  const right = shared();
  const rowOf = (bound: Bound): Column => bound.columns.at(-1) ?? number;
  const rightRow = rowOf(right);
  const source: Bound = {
    ...right,
    columns: right.columns.slice(0, -1),
    partition: [...input.partition.map((column) => sameName(right, column)), rightRow],
  };
  const { bound: expanded } = expansion(session, node, source, scope, false);
  const subquery = child(child(node, "Subquery"), "Expression");
  const result = continuePipe(session, subquery, expanded, scope);
  const own = new Set(result.columns.map(({ id }) => id));
  const untouched = source.columns.filter(({ id }) => expanded.columns.some((column) => column.id === id));
  if (untouched.every(({ id }) => own.has(id))) return { ...result, partition: input.partition };
  const names = new Set(result.columns.map(({ name }) => name));
  const kept = left.columns.slice(0, -1).filter(({ name }) => !names.has(name));
  return {
    relation: relation({
      kind: "join",
      joinKind: "inner",
      left: left.relation,
      right: result.relation,
      on: [[columnOf(rowOf(left)), columnOf(rightRow)]],
      columns: [...left.relation.columns, ...result.relation.columns],
    }),
    columns: [...kept, ...result.columns],
    order: [{ column: rowOf(left), descending: false, nullsFirst: true }, ...result.order],
    partition: input.partition,
  };
}

function sameName(bound: Bound, column: Column): Column {
  return bound.columns.find(({ name }) => name === column.name) ?? column;
}

/** One evaluation, read by several parts of the plan under fresh columns. */
export function share(session: Session, bound: Bound): () => Bound {
  const key = session.nextKey();
  const { columns: sources } = bound.relation;
  return () => {
    const fresh = new Map(sources.map((column) => [column.id, session.newColumn(column.name, column.type)]));
    const renew = (column: Column): Column => ({ ...(fresh.get(column.id) ?? column), name: column.name });
    return {
      relation: relation({ kind: "shared", key, input: bound.relation, sources, columns: sources.map(renew) }),
      columns: bound.columns.map(renew),
      order: bound.order.map((item) => ({ ...item, column: renew(item.column) })),
      partition: bound.partition.map(renew),
    };
  };
}

/** Runs a pipe whose first operator takes `input`. */
export function continuePipe(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const steps: SyntaxNode[] = [];
  let at = node;
  while (kindOf(at) === "PipeExpression") {
    steps.push(child(at, "Operator"));
    at = child(at, "Expression");
  }
  return [at, ...steps.reverse()].reduce((bound, operator) => session.operator(operator, bound, scope), input);
}

export function bindPartition(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const by = session.expression(child(node, "ByExpression"), environmentOf(input, scope));
  const key = by.kind === "column" ? by.column : session.newColumn("key", by.type);
  const keyed = by.kind === "column" ? input.relation : extendHidden(input, [{ column: key, expression: by }]);
  const operand = child(node, "Operand");
  const groups: Bound = { ...input, relation: keyed, partition: [...input.partition, key] };
  const result =
    kindOf(operand) === "PartitionQuery"
      ? queryForEach(session, child(operand, "Query"), groups, key, scope)
      : continuePipe(session, child(operand, "Subquery"), groups, scope);
  return { ...result, partition: input.partition };
}

/** `partition by key { Table | … }`: the whole query for each key, which is a value in it. */
function queryForEach(session: Session, node: SyntaxNode, groups: Bound, key: Column, scope: Scope): Bound {
  const steps: SyntaxNode[] = [];
  let at = node;
  while (kindOf(at) === "PipeExpression") {
    steps.push(child(at, "Operator"));
    at = child(at, "Expression");
  }
  const inner = new Scope(scope);
  inner.declare(key.name, { kind: "scalar", value: columnOf(key) });
  const table = session.table(at, inner);
  const keys = relation({
    kind: "aggregate",
    input: groups.relation,
    keys: [keep(key)],
    aggregates: [],
    order: [],
    columns: [key],
  });
  const crossed: Bound = {
    ...table,
    relation: relation({
      kind: "join",
      joinKind: "inner",
      left: keys,
      right: table.relation,
      on: [],
      columns: [key, ...table.relation.columns],
    }),
    order: [],
    partition: [key],
  };
  return steps.reverse().reduce((bound, operator) => session.operator(operator, bound, inner), crossed);
}
