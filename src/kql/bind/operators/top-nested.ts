// top-nested: for each level the best groups within each group of the level above. `with others` adds a
// row for what a level left out; the levels below it are empty there, or their own `others`.

import { unsupported } from "../../errors.ts";
import {
  aggregate,
  call,
  columnOf,
  literal,
  type AggregateExpression,
  type Column,
  type Expression,
} from "../../plan/expression.ts";
import { relation, type Item, type SortKey } from "../../plan/relation.ts";
import { child, items, kindOf, nameOf, optional, spanOf, tokenText, type SyntaxNode } from "../../syntax/node.ts";
import { cast } from "../casts.ts";
import { nullLiteral } from "../functions.ts";
import { suggestedName } from "../names.ts";
import type { Scope } from "../scope.ts";
import type { Bound, Session } from "../session.ts";
import { environmentOf, filter, keep, project } from "../tables.ts";
import { share } from "./expand.ts";
import { limit } from "./order.ts";
import { constantNumber, item } from "./shape.ts";
import { unite } from "./union.ts";

interface Level {
  readonly node: SyntaxNode;
  /** What is grouped by. */
  readonly key: Column;
  readonly measure: SyntaxNode;
  readonly measureName: string;
  readonly descending: boolean;
  /** The name of what is left out. */
  readonly others: Expression | undefined;
}

/** The groups of a level: keys and measures of all levels so far, side by side. */
interface Chosen {
  readonly read: () => Bound;
  readonly columns: readonly Column[];
}

export function bindTopNested(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const environment = environmentOf(input, scope);
  const keyItems = items(node, "Clauses").map((level) => {
    const of = child(level, "OfExpression");
    return item(session, suggestedName(of) ?? "Column1", session.expression(of, environment));
  });
  const levels = items(node, "Clauses").map((level, depth) => levelOf(session, level, keyItems[depth]?.column, scope));
  const prepared = project(input, [
    ...input.columns.map(keep),
    ...keyItems.filter(({ column }) => !input.columns.includes(column)),
  ]);
  const source = share(session, { ...prepared, columns: prepared.columns });
  const chosen: Chosen[] = [];
  for (const depth of levels.keys()) chosen.push(choose(session, levels, depth, source(), chosen[depth - 1], scope));
  const last = chosen.at(-1);
  if (last === undefined) throw unsupported("top-nested without levels", spanOf(node));
  const left = levels.flatMap(({ others }, depth) => {
    const own = chosen[depth];
    return others === undefined || own === undefined
      ? []
      : [leftOut(session, levels, depth, source(), own, chosen[depth - 1], scope)];
  });
  if (left.length === 0) return last.read();
  return unite(
    session,
    [last.read(), ...left].map((bound) => ({ name: "", bound })),
    false,
  );
}

function levelOf(session: Session, node: SyntaxNode, key: Column | undefined, scope: Scope): Level {
  if (key === undefined) throw unsupported("A level of top-nested without a key", spanOf(node));
  const by = child(node, "ByExpression");
  const ordered = kindOf(by) === "OrderedExpression";
  const measure = ordered ? child(by, "Expression") : by;
  const clause = optional(node, "WithOthersClause");
  return {
    node,
    key,
    measure,
    measureName:
      kindOf(measure) === "SimpleNamedExpression" ? nameOf(child(measure, "Name")) : `aggregated_${key.name}`,
    descending: !ordered || tokenText(child(by, "Ordering"), "AscOrDescKeyword") !== "asc",
    others:
      clause === undefined
        ? undefined
        : cast(session.expression(child(clause, "Expression"), { scope, columns: [] }), key.type),
  };
}

interface Measured {
  readonly bound: Bound;
  readonly measures: readonly Column[];
  /** How many rows a group has. */
  readonly size: Column;
}

/** The measures of some levels for each combination of the keys. */
function measured(
  session: Session,
  levels: readonly Level[],
  rows: Bound,
  keys: readonly Column[],
  scope: Scope,
): Measured {
  const size = session.newColumn("size", "long");
  const found: Item<AggregateExpression>[] = [{ column: size, expression: aggregate("count", [], "long") }];
  const measures = levels.map(({ measure, measureName }): Item => {
    const expression = session.expression(measure, {
      ...environmentOf(rows, scope),
      aggregate: (made) => {
        const column = session.newColumn(made.name, made.type);
        found.push({ column, expression: made });
        return columnOf(column);
      },
    });
    return { column: session.newColumn(measureName, expression.type), expression };
  });
  const columns = [...keys, ...found.map(({ column }) => column)];
  const grouped: Bound = {
    relation: relation({
      kind: "aggregate",
      input: rows.relation,
      keys: keys.map(keep),
      aggregates: found,
      order: [],
      columns,
    }),
    columns,
    order: [],
    partition: [],
  };
  const bound = project(grouped, [...keys.map(keep), ...measures, keep(size)]);
  return { bound, measures: measures.map(({ column }) => column), size };
}

/** The columns of the keys in a table that has them under the same names. */
function keysIn(levels: readonly Level[], rows: Bound): Column[] {
  return levels.map(({ key }) => rows.columns.find(({ name }) => name === key.name) ?? key);
}

const equalities = (left: readonly Column[], right: readonly Column[]): (readonly [Expression, Expression])[] =>
  left.flatMap((column, index) => {
    const other = right[index];
    return other === undefined ? [] : [[columnOf(column), columnOf(other)] as const];
  });

/** Keys stand at every other place of what was chosen. */
const keysOf = (columns: readonly Column[]): Column[] => columns.filter((_, index) => index % 2 === 0);

function within(bound: Bound, keys: readonly Column[], above: Bound): Bound {
  return {
    ...bound,
    relation: relation({
      kind: "join",
      joinKind: "inner",
      left: bound.relation,
      right: above.relation,
      on: equalities(keys, keysOf(above.columns)),
      columns: [...bound.relation.columns, ...above.relation.columns],
    }),
  };
}

function choose(
  session: Session,
  levels: readonly Level[],
  depth: number,
  rows: Bound,
  above: Chosen | undefined,
  scope: Scope,
): Chosen {
  const level = levels[depth];
  const keys = keysIn(levels.slice(0, depth + 1), rows);
  const found = measured(session, level === undefined ? [] : [level], rows, keys, scope);
  const [last, measure] = [keys.at(-1), found.measures[0]];
  if (level === undefined || last === undefined || measure === undefined) throw unsupported("top-nested of nothing");
  const parents = above?.read();
  const bound = parents === undefined ? found.bound : within(found.bound, keys.slice(0, -1), parents);
  const order: SortKey[] = [
    { column: measure, descending: level.descending, nullsFirst: false },
    { column: last, descending: false, nullsFirst: true },
  ];
  const ranked: Bound = { ...bound, order, partition: keys.slice(0, -1) };
  const count = optional(level.node, "Expression");
  const cut = count === undefined ? ranked : limit(ranked, constantNumber(session, count, scope));
  const shown = [...(parents?.columns ?? []), last, measure];
  const result = project({ ...cut, order: [], partition: [] }, shown.map(keep));
  return { read: share(session, result), columns: result.columns };
}

/** The row that stands for what a level left out, one within each group above it. */
function leftOut(
  session: Session,
  levels: readonly Level[],
  depth: number,
  rows: Bound,
  chosen: Chosen,
  above: Chosen | undefined,
  scope: Scope,
): Bound {
  const taken = chosen.read();
  const rest: Bound = {
    ...rows,
    relation: relation({
      kind: "join",
      joinKind: "anti",
      left: rows.relation,
      right: taken.relation,
      on: equalities(keysIn(levels.slice(0, depth + 1), rows), keysOf(taken.columns)),
      columns: rows.relation.columns,
    }),
  };
  const keys = keysIn(levels.slice(0, depth), rest);
  const below = levels.slice(depth);
  const found = measured(session, below, rest, keys, scope);
  const some = filter(found.bound, call("greater", [columnOf(found.size), literal("long", 0n)], "bool"));
  const parents = above?.read();
  const bound = parents === undefined ? some : within(some, keys, parents);
  const added = below.flatMap(({ key, others }, index): Item[] => {
    const measure = found.measures[index] ?? found.size;
    const value: Expression = others === undefined ? nullLiteral(measure.type) : columnOf(measure);
    return [
      { column: session.newColumn(key.name, key.type), expression: others ?? nullLiteral(key.type) },
      { column: session.newColumn(measure.name, measure.type), expression: value },
    ];
  });
  return project({ ...bound, order: [], partition: [] }, [...(parents?.columns ?? []).map(keep), ...added]);
}
