// make-series.

import { semantic, unsupported } from "../../errors.ts";
import { columnOf, type AggregateExpression, type Expression } from "../../plan/expression.ts";
import { relation, type SeriesItem } from "../../plan/relation.ts";
import {
  child,
  items,
  kindOf,
  nameOf,
  optional,
  parametersOf,
  spanOf,
  wordOf,
  type SyntaxNode,
} from "../../syntax/node.ts";
import { literal } from "../../plan/expression.ts";
import { cast } from "../casts.ts";
import { suggestedName, UniqueNames } from "../names.ts";
import type { Scope } from "../scope.ts";
import type { Bound, Session } from "../session.ts";
import { environmentOf, keep, project } from "../tables.ts";
import { itemsOf } from "./shape.ts";

export function bindMakeSeries(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const environment = environmentOf(input, scope);
  const kindNode = parametersOf(node).get("kind");
  const by = optional(node, "ByClause");
  const keys =
    by === undefined ? [] : itemsOf(session, items(by, "Expressions"), environment, (index) => `Column${index}`);
  const on = child(child(node, "OnClause"), "Expression");
  const axisValue = session.expression(on, environment);
  const { from, to, step } = range(session, node, scope);
  const names = new UniqueNames(keys.map(({ column }) => column.name));
  let unnamed = keys.filter(({ column }) => /^Column\d+$/.test(column.name)).length;
  const found = items(node, "Aggregates").map((entry): SeriesItem => {
    let made: AggregateExpression | undefined;
    const inner = child(entry, "Expression");
    session.expression(inner, {
      ...environment,
      aggregate: (aggregate) => {
        made = aggregate;
        return columnOf(session.newColumn(aggregate.name, aggregate.type));
      },
    });
    if (made === undefined) throw semantic("make-series needs an aggregate.", spanOf(entry));
    const preset = optional(entry, "DefaultExpression");
    const absent = preset === undefined ? zero(made) : defaultOf(session, child(preset, "Expression"), made, scope);
    const given = kindOf(inner) === "SimpleNamedExpression" ? nameOf(child(inner, "Name")) : undefined;
    const name = given ?? names.take(suggestedName(inner) ?? `Column${(unnamed += 1)}`);
    return { column: session.newColumn(name, "dynamic"), aggregate: made, absent };
  });
  const axisName = suggestedName(on) ?? "Column1";
  const axis = { column: session.newColumn(axisName, "dynamic"), expression: numberAxis(axisValue, on) };
  const partition = input.partition.map(keep);
  const columns = [...keys.map(({ column }) => column), ...found.map(({ column }) => column), axis.column];
  const made: Bound = {
    relation: relation({
      kind: "series",
      input: input.relation,
      keys: [...keys, ...partition],
      axis,
      from: cast_(from, axis.expression),
      to: cast_(to, axis.expression),
      step: axis.expression.type === "real" ? cast(step, "real") : step,
      items: found,
      evenEmpty: kindNode !== undefined && wordOf(kindNode).toLowerCase() === "nonempty",
      columns: [...input.partition, ...columns],
    }),
    columns,
    order: [],
    partition: input.partition,
  };
  return project(made, columns.map(keep));
}

function numberAxis(value: Expression, node: SyntaxNode): Expression {
  if (value.type === "int") return cast(value, "long");
  if (value.type === "long" || value.type === "real" || value.type === "datetime" || value.type === "timespan")
    return value;
  throw unsupported(`An axis of type ${value.type}`, spanOf(node));
}

function cast_(bound: Expression | undefined, axis: Expression): Expression | undefined {
  return bound === undefined ? undefined : cast(bound, axis.type);
}

function zero(made: AggregateExpression): Expression {
  if (made.type === "real") return literal("real", 0);
  if (made.type === "long" || made.type === "int" || made.type === "timespan") return literal(made.type, 0n);
  return literal(made.type, made.type === "string" ? "" : null);
}

function defaultOf(session: Session, node: SyntaxNode, made: AggregateExpression, scope: Scope): Expression {
  const value = session.expression(node, { scope, columns: [] });
  // A default with a fraction, or none at all, stays what it is in a series of whole numbers.
  if (value.kind === "literal" && value.type === "real" && made.type === "long") return value;
  return cast(value, made.type);
}

function range(
  session: Session,
  node: SyntaxNode,
  scope: Scope,
): { readonly from: Expression | undefined; readonly to: Expression | undefined; readonly step: Expression } {
  const clause = child(node, "RangeClause");
  const environment = { scope, columns: [] };
  if (kindOf(clause) === "MakeSeriesInRangeClause") {
    const [from, to, step] = items(child(clause, "Arguments"), "Expressions").map((arg) =>
      session.expression(arg, environment),
    );
    if (step === undefined) throw semantic("range() needs start, stop and step.", spanOf(clause));
    return { from, to, step };
  }
  const part = (member: string): Expression | undefined => {
    const found = optional(clause, member);
    return found === undefined ? undefined : session.expression(child(found, "Expression"), environment);
  };
  const step = part("MakeSeriesStepClause");
  if (step === undefined) throw semantic("make-series needs a step.", spanOf(node));
  return { from: part("MakeSeriesFromClause"), to: part("MakeSeriesToClause"), step };
}
