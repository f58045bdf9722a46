// summarize: keys, aggregates, and expressions over aggregates.

import { semantic } from "../../errors.ts";
import { aggregate, columnOf, type AggregateExpression, type Column, type Expression } from "../../plan/expression.ts";
import { relation, type Item } from "../../plan/relation.ts";
import { child, items, kindOf, nameOf, optional, spanOf, tokenText, type SyntaxNode } from "../../syntax/node.ts";
import { makeAggregate } from "../aggregates.ts";
import { canonicalName } from "../functions.ts";
import { suggestedName, UniqueNames } from "../names.ts";
import type { Scope } from "../scope.ts";
import type { Bound, Environment, Session } from "../session.ts";
import { environmentOf, keep, project } from "../tables.ts";
import { itemsOf, severalResults } from "./shape.ts";

export function bindSummarize(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const by = optional(node, "ByClause");
  const environment = environmentOf(input, scope);
  const keys =
    by === undefined ? [] : itemsOf(session, items(by, "Expressions"), environment, (index) => `Column${index}`);
  return aggregateBy(session, items(node, "Aggregates"), keys, input, environment);
}

function aggregateBy(
  session: Session,
  nodes: readonly SyntaxNode[],
  keys: readonly Item[],
  input: Bound,
  environment: Environment,
): Bound {
  const found: Item<AggregateExpression>[] = [];
  const take = (expression: AggregateExpression): Expression => {
    const column = session.newColumn(expression.name, expression.type);
    found.push({ column, expression });
    return columnOf(column);
  };
  const explicit = nodes.flatMap((node) =>
    kindOf(node) === "SimpleNamedExpression" ? [nameOf(child(node, "Name"))] : [],
  );
  const names = new UniqueNames([...keys.map(({ column }) => column.name), ...explicit]);
  const outputs: Item[] = keys.map(({ column }) => keep(column));
  let unnamed = keys.filter(({ column }) => /^Column\d+$/.test(column.name)).length;
  for (const node of nodes) {
    const several =
      severalColumns(session, node, environment, keys, take, names) ??
      severalResults(session, node, { ...environment, aggregate: take }, names);
    if (several !== undefined) {
      outputs.push(...several);
      continue;
    }
    const expression = session.expression(node, { ...environment, aggregate: take });
    let name = suggestedName(node);
    if (name === undefined) {
      unnamed += 1;
      name = `Column${unnamed}`;
    }
    if (kindOf(node) !== "SimpleNamedExpression") name = names.take(name);
    outputs.push({ column: named(session, expression, name), expression });
  }
  const appearance = firstAppearance(session, keys, input);
  const partition = input.partition.filter((column) => !keys.some((key) => key.column.id === column.id));
  const grouped: Bound = {
    relation: relation({
      kind: "aggregate",
      input: input.relation,
      keys: [...keys, ...partition.map(keep)],
      aggregates: [...found, ...appearance],
      order: input.order,
      columns: [...keys, ...partition.map(keep), ...found, ...appearance].map(({ column }) => column),
    }),
    columns: [...keys.map(({ column }) => column), ...found.map(({ column }) => column)],
    order: appearance.map(({ column }) => ({ column, descending: false, nullsFirst: true })),
    partition: input.partition,
  };
  return project(grouped, outputs);
}

/** Groups of rows that stand in the order of a source come in the order of their first rows. */
function firstAppearance(session: Session, keys: readonly Item[], input: Bound): Item<AggregateExpression>[] {
  const [only, ...more] = input.order;
  if (keys.length === 0 || only === undefined || more.length > 0 || only.descending) return [];
  const column = session.newColumn("appearance", only.column.type);
  return [{ column, expression: aggregate("min", [columnOf(only.column)], only.column.type) }];
}

/** An aggregate that stands alone keeps its column and only gets its name. */
function named(session: Session, expression: Expression, name: string): Column {
  if (expression.kind === "column") return { ...expression.column, name };
  return session.newColumn(name, expression.type);
}

type Take = (expression: AggregateExpression) => Expression;

/** arg_max, arg_min, take_any and percentiles give several columns. */
function severalColumns(
  session: Session,
  node: SyntaxNode,
  environment: Environment,
  keys: readonly Item[],
  take: Take,
  names: UniqueNames,
): Item[] | undefined {
  const compound = kindOf(node) === "CompoundNamedExpression";
  const alias = kindOf(node) === "SimpleNamedExpression" ? nameOf(child(node, "Name")) : undefined;
  const callNode = compound || alias !== undefined ? child(node, "Expression") : node;
  if (kindOf(callNode) !== "FunctionCallExpression") return undefined;
  const written = nameOf(child(callNode, "Name"));
  const name = canonicalName(written);
  const args = items(child(callNode, "ArgumentList"), "Expressions");
  const given = compound ? items(child(node, "Names"), "Names").map(nameOf) : [];
  const rest = new Set(keys.map(({ column }) => column.id));
  const context = { session, environment, take, names, given, alias, callNode, written, rest };
  if (name === "arg_max" || name === "arg_min") return extremes(context, name, args);
  if (name === "take_any") return anyValues(context, args);
  if (name === "percentile" || name === "percentiles") return percentiles(context, "percentile", args, 1);
  if (name === "percentilew" || name === "percentilesw") return percentiles(context, "percentilew", args, 2);
  return undefined;
}

interface Context {
  readonly session: Session;
  readonly environment: Environment;
  readonly take: Take;
  readonly names: UniqueNames;
  readonly given: readonly string[];
  readonly alias: string | undefined;
  readonly callNode: SyntaxNode;
  readonly written: string;
  /** Columns that `*` does not mean. */
  readonly rest: ReadonlySet<number>;
}

function output(context: Context, index: number, automatic: string, found: AggregateExpression): Item {
  const explicit = context.given[index] ?? (index === 0 ? context.alias : undefined);
  const expression = context.take(found);
  const name = explicit ?? context.names.take(automatic);
  return { column: named(context.session, expression, name), expression };
}

function extremes(context: Context, name: string, args: readonly SyntaxNode[]): Item[] {
  const { session, environment, callNode } = context;
  const [byNode, ...returned] = args;
  if (byNode === undefined) throw semantic(`${name}() needs an argument.`, spanOf(callNode));
  const by = session.expression(byNode, environment);
  const values = listed(context, returned, by);
  const isOld = context.written === "argmax" || context.written === "argmin";
  const prefix = isOld ? `${context.written.slice(3)}_` : "";
  const first = `${prefix}${suggestedName(byNode) ?? "Column1"}`;
  const extreme = makeAggregate(session, name === "arg_max" ? "max" : "min", [by], callNode);
  return [
    output(context, 0, first, extreme),
    ...values.map((value, index) =>
      output(
        context,
        index + 1,
        isOld ? `${first}_${value.name}` : value.name,
        aggregate(name, [value.expression, by], value.expression.type, undefined, spanOf(callNode)),
      ),
    ),
  ];
}

interface Listed {
  readonly name: string;
  readonly expression: Expression;
}

/** Beside a star no column comes twice: `arg_max(t, a, *)` gives a once, where it is named. */
function listed({ session, environment, rest }: Context, nodes: readonly SyntaxNode[], by?: Expression): Listed[] {
  const hasStar = nodes.some((node) => kindOf(node) === "StarExpression");
  const given = new Set(by?.kind === "column" ? [by.column.id] : []);
  const isNew = ({ expression }: Listed): boolean => {
    if (!hasStar || expression.kind !== "column") return true;
    const isKnown = given.has(expression.column.id);
    given.add(expression.column.id);
    return !isKnown;
  };
  return nodes.flatMap((node): Listed[] => {
    if (kindOf(node) === "StarExpression") {
      return environment.columns
        .filter(({ id }) => !rest.has(id))
        .map((column) => ({ name: column.name, expression: columnOf(column) }))
        .filter(isNew);
    }
    const value = { name: suggestedName(node) ?? "Column1", expression: session.expression(node, environment) };
    return isNew(value) ? [value] : [];
  });
}

function anyValues(context: Context, args: readonly SyntaxNode[]): Item[] {
  const old = context.written === "any" ? "any_" : "";
  return listed(context, args).map(({ name, expression }, index) =>
    output(context, index, `${old}${name}`, makeAggregate(context.session, "take_any", [expression], context.callNode)),
  );
}

function percentiles(context: Context, name: string, args: readonly SyntaxNode[], skip: number): Item[] {
  const { session, environment, callNode } = context;
  const values = args.slice(0, skip).map((arg) => session.expression(arg, environment));
  const column = args[0] === undefined ? "" : (suggestedName(args[0]) ?? "");
  return args.slice(skip).map((arg, index) => {
    const percent = session.expression(arg, environment);
    const written = tokenText(arg, "Token") || (percent.kind === "literal" ? String(percent.value) : String(index));
    const found = makeAggregate(session, name, [...values, percent], callNode);
    return output(context, index, `percentile_${column}_${written.replaceAll(".", "_")}`, found);
  });
}
