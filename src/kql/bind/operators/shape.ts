// where, extend, the project family, serialize, distinct, getschema.

import { semantic } from "../../errors.ts";
import { call, containsNode, literal, type Column, type Expression } from "../../plan/expression.ts";
import { relation, type Item } from "../../plan/relation.ts";
import { child, elements, items, kindOf, nameOf, spanOf, type SyntaxNode } from "../../syntax/node.ts";
import { typeNamed, type ScalarType } from "../../types.ts";
import { resultTypes } from "../calls.ts";
import { cast } from "../casts.ts";
import { didYouMean, suggestedName, UniqueNames, wildcard } from "../names.ts";
import type { Scope } from "../scope.ts";
import type { Bound, Environment, Session } from "../session.ts";
import { environmentOf, extend, filter, keep, project, WindowCollector } from "../tables.ts";

export function bindWhere(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const windows = new WindowCollector(session);
  const condition = session.expression(child(node, "Condition"), {
    ...environmentOf(input, scope),
    window: windows.take,
  });
  const below = windows.below(input);
  return pushedBelowUnique(below, cast(condition, "bool")) ?? filter(below, cast(condition, "bool"));
}

/**
 * innerunique keeps one row for each key of the left side. A condition on the left side alone that
 * follows the join is applied before that choice, as the service does.
 */
function pushedBelowUnique(bound: Bound, condition: Expression): Bound | undefined {
  const join = bound.relation;
  if (join.kind !== "join" || join.left.kind !== "firstOfEach") return undefined;
  const unique = join.left;
  const left = new Set(unique.columns.map(({ id }) => id));
  const foreign = containsNode(condition, (node) =>
    node.kind === "column" ? !left.has(node.column.id) : node.kind === "scalarQuery" || node.kind === "inQuery",
  );
  if (foreign) return undefined;
  const filtered = relation({
    kind: "filter",
    input: unique.input,
    predicate: condition,
    columns: unique.input.columns,
  });
  return { ...bound, relation: relation({ ...join, left: relation({ ...unique, input: filtered }) }) };
}

export function bindExtend(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const windows = new WindowCollector(session);
  const environment = { ...environmentOf(input, scope), window: windows.take };
  const found = itemsOf(session, items(node, "Expressions"), environment, (index) => `Column${index}`, input.columns);
  return extend(windows.below(input), found);
}

export function bindProject(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const windows = new WindowCollector(session);
  const environment = { ...environmentOf(input, scope), window: windows.take };
  const found = itemsOf(session, items(node, "Expressions"), environment, (index) => `Column${index}`);
  return project(windows.below(input), found);
}

/** Named expressions; those without a name get one from themselves or are numbered. */
export function itemsOf(
  session: Session,
  nodes: readonly SyntaxNode[],
  environment: Environment,
  unnamed: (index: number) => string,
  replaced: readonly Column[] = [],
): Item[] {
  const explicit = nodes.flatMap((node) =>
    kindOf(node) === "SimpleNamedExpression" ? [nameOf(child(node, "Name"))] : [],
  );
  const names = new UniqueNames(explicit);
  const found: Item[] = [];
  let number = 0;
  for (const node of nodes) {
    const given = kindOf(node) === "SimpleNamedExpression" ? nameOf(child(node, "Name")) : undefined;
    const several = severalResults(session, node, environment, names);
    if (several !== undefined) {
      found.push(...several);
      continue;
    }
    const expression = session.expression(node, environment);
    let name = given ?? suggestedName(node);
    if (name === undefined) {
      number += 1;
      name = unnamed(number);
    }
    if (given === undefined && !replaced.some((column) => column.name === name)) name = names.take(name);
    found.push(item(session, name, expression));
  }
  return found;
}

/** A column under its own name stays the same column. */
export function item(session: Session, name: string, expression: Expression): Item {
  if (expression.kind === "column" && expression.column.name === name) return keep(expression.column);
  return { column: session.newColumn(name, expression.type), expression };
}

/** `(a, b) = f(x)` and functions that give several columns. */
export function severalResults(
  session: Session,
  node: SyntaxNode,
  environment: Environment,
  names: UniqueNames,
): Item[] | undefined {
  const compound = kindOf(node) === "CompoundNamedExpression";
  const named = kindOf(node) === "SimpleNamedExpression";
  const inner = compound || named ? child(node, "Expression") : node;
  const parts = resultTypes(inner);
  if (parts === undefined && !compound) return undefined;
  const value = session.expression(inner, environment);
  const given = compound ? elements(child(child(node, "Names"), "Names")).map(nameOf) : [];
  const base = functionName(inner);
  const first = named ? suggestedName(node) : undefined;
  const columns = parts ?? given.map((name) => [name, "dynamic"] as const);
  return columns.flatMap(([ending, typeName], index): Item[] => {
    const type: ScalarType = typeNamed(typeName) ?? "dynamic";
    const element = call("element", [value, literal("long", BigInt(index))], "dynamic");
    const automatic = ending.endsWith("_sorted") ? ending : `${base}_${ending}`;
    const name = given[index] ?? (index === 0 ? first : undefined) ?? names.take(automatic);
    return [{ column: session.newColumn(name, type), expression: cast(element, type) }];
  });
}

function functionName(node: SyntaxNode): string {
  const name = nameOf(child(node, "Name"));
  const first = items(child(node, "ArgumentList"), "Expressions")[0];
  const argument = first === undefined ? undefined : suggestedName(first);
  return `${name}_${argument ?? ""}`;
}

/** The columns that a list of names and wildcards means. */
export function namedColumns(nodes: readonly SyntaxNode[], columns: readonly Column[]): Column[] {
  const found: Column[] = [];
  for (const node of nodes) {
    if (kindOf(node) === "StarExpression") {
      found.push(...columns);
      continue;
    }
    const name = nameOf(node);
    const matches = name.includes("*")
      ? columns.filter((column) => wildcard(name)(column.name))
      : [columnNamed(node, columns)];
    found.push(...matches);
  }
  return [...new Set(found)];
}

export function columnNamed(node: SyntaxNode, columns: readonly Column[]): Column {
  const name = nameOf(node);
  const column = columns.find((known) => known.name === name);
  if (column !== undefined) return column;
  const known = columns.map((candidate) => candidate.name);
  throw semantic(`There is no column '${name}' here.${didYouMean(name, known)}`, spanOf(node));
}

export function bindProjectAway(_session: Session, node: SyntaxNode, input: Bound): Bound {
  const away = new Set(namedColumns(items(node, "Expressions"), input.columns));
  return project(input, input.columns.filter((column) => !away.has(column)).map(keep));
}

export function bindProjectKeep(_session: Session, node: SyntaxNode, input: Bound): Bound {
  const kept = new Set(namedColumns(items(node, "Expressions"), input.columns));
  return project(input, input.columns.filter((column) => kept.has(column)).map(keep));
}

export function bindProjectRename(_session: Session, node: SyntaxNode, input: Bound): Bound {
  const names = new Map<number, string>();
  for (const named of items(node, "Expressions")) {
    names.set(columnNamed(child(named, "Expression"), input.columns).id, nameOf(child(named, "Name")));
  }
  const columns = input.columns.map((column) => ({ ...column, name: names.get(column.id) ?? column.name }));
  return { ...input, columns };
}

export function bindProjectReorder(_session: Session, node: SyntaxNode, input: Bound): Bound {
  const chosen = items(node, "Expressions").flatMap((entry) => {
    const ordered = kindOf(entry) === "OrderedExpression";
    const found = namedColumns([ordered ? child(entry, "Expression") : entry], input.columns);
    if (!ordered) return found;
    const direction = child(entry, "Ordering")["AscOrDescKeyword"] as { readonly Text: string };
    const compare = collator(direction.Text.startsWith("granny") || direction.Text.startsWith("g"));
    const ascending = found.toSorted((a, b) => compare(a.name, b.name));
    return direction.Text.endsWith("desc") ? ascending.toReversed() : ascending;
  });
  const first = [...new Set(chosen)];
  return { ...input, columns: [...first, ...input.columns.filter((column) => !first.includes(column))] };
}

function collator(numeric: boolean): (left: string, right: string) => number {
  if (numeric) return new Intl.Collator("en", { numeric: true }).compare;
  return (left, right) => (left < right ? -1 : left > right ? 1 : 0);
}

export function bindDistinct(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const nodes = items(node, "Expressions");
  const star = nodes.length === 1 && nodes[0] !== undefined && kindOf(nodes[0]) === "StarExpression";
  const keys = star
    ? input.columns.map(keep)
    : itemsOf(session, nodes, environmentOf(input, scope), (index) => `Column${index}`);
  const partition = input.partition.filter((column) => !keys.some((key) => key.column.id === column.id)).map(keep);
  return {
    relation: relation({
      kind: "aggregate",
      input: input.relation,
      keys: [...keys, ...partition],
      aggregates: [],
      order: [],
      columns: [...keys, ...partition].map(({ column }) => column),
    }),
    columns: keys.map(({ column }) => column),
    order: [],
    partition: input.partition,
  };
}

const dataTypes: Readonly<Record<ScalarType, string>> = {
  bool: "System.SByte",
  int: "System.Int32",
  long: "System.Int64",
  real: "System.Double",
  decimal: "System.Data.SqlTypes.SqlDecimal",
  string: "System.String",
  datetime: "System.DateTime",
  timespan: "System.TimeSpan",
  guid: "System.Guid",
  dynamic: "System.Object",
};

export function bindGetSchema(session: Session, _node: SyntaxNode, input: Bound): Bound {
  const columns = [
    session.newColumn("ColumnName", "string"),
    session.newColumn("ColumnOrdinal", "int"),
    session.newColumn("DataType", "string"),
    session.newColumn("ColumnType", "string"),
  ];
  const ordinal = columns[1];
  const rows = input.columns.map((column, index) => [
    literal("string", column.name),
    literal("int", BigInt(index)),
    literal("string", dataTypes[column.type]),
    literal("string", column.type),
  ]);
  return {
    relation: relation({ kind: "values", rows, columns }),
    columns,
    order: ordinal === undefined ? [] : [{ column: ordinal, descending: false, nullsFirst: true }],
    partition: [],
  };
}

/** The expression that a row limit or count holds: a number without columns. */
export function constantNumber(session: Session, node: SyntaxNode, scope: Scope): Expression {
  return cast(session.expression(node, { scope, columns: [] }), "long");
}
