// reduce: the different texts are counted and gathered, a function finds their patterns, and the
// patterns come back as rows, or beside the rows that they were found in.

import { semantic, unsupported } from "../../errors.ts";
import { aggregate, call, columnOf, literal, type Column, type Expression } from "../../plan/expression.ts";
import { relation, type Item } from "../../plan/relation.ts";
import { child, optional, parametersOf, spanOf, wordOf, type SyntaxNode } from "../../syntax/node.ts";
import { cast } from "../casts.ts";
import type { Scope } from "../scope.ts";
import type { Bound, Session } from "../session.ts";
import { environmentOf, extend, project } from "../tables.ts";
import { share } from "./expand.ts";

export function bindReduce(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const kind = parametersOf(node).get("kind");
  const withSource = kind !== undefined && wordOf(kind) === "source";
  if (kind !== undefined && !withSource) throw semantic("The only kind of reduce is 'source'.", spanOf(kind));
  if (input.partition.length > 0) throw unsupported("reduce inside partition and mv-apply", spanOf(node));
  const value = session.expression(child(node, "Expression"), environmentOf(input, scope));
  const text: Item = { column: session.newColumn("text", "string"), expression: cast(value, "string") };
  const rows = share(session, extend(input, [text]));
  const counted = rows();
  const found = patternsOf(session, counted, counted.columns.at(-1) ?? text.column, settings(session, node, scope));
  if (withSource) return besideSource(rows(), found);
  return onePatternEach(session, found);
}

function settings(session: Session, node: SyntaxNode, scope: Scope): readonly Expression[] {
  const clause = optional(node, "With");
  const given = clause === undefined ? new Map<string, SyntaxNode>() : parametersOf(clause);
  const value = (name: string, preset: Expression): Expression => {
    const found = given.get(name);
    return found === undefined ? preset : session.expression(found, { scope, columns: [] });
  };
  return [cast(value("threshold", literal("real", 0.1)), "real"), value("characters", literal("string", ""))];
}

interface Patterns {
  readonly bound: Bound;
  readonly text: Column;
  readonly shown: readonly Column[];
}

function patternsOf(session: Session, input: Bound, text: Column, options: readonly Expression[]): Patterns {
  const count = session.newColumn("count", "long");
  const counted = relation({
    kind: "aggregate",
    input: input.relation,
    keys: [{ column: text, expression: columnOf(text) }],
    aggregates: [{ column: count, expression: aggregate("count", [], "long") }],
    order: [],
    columns: [text, count],
  });
  const pair = call(
    "bag_pack",
    [literal("string", "v"), columnOf(text), literal("string", "n"), columnOf(count)],
    "dynamic",
  );
  const gathered = session.newColumn("gathered", "dynamic");
  const list = relation({
    kind: "aggregate",
    input: counted,
    keys: [],
    aggregates: [{ column: gathered, expression: aggregate("make_list", [pair], "dynamic") }],
    order: [{ column: text, descending: false, nullsFirst: true }],
    columns: [gathered],
  });
  const row = session.newColumn("row", "dynamic");
  const index = session.newColumn("index", "long");
  const unfolded: Bound = {
    relation: relation({
      kind: "expand",
      input: list,
      items: [
        {
          column: row,
          source: call("reduce_patterns", [columnOf(gathered), ...options], "dynamic"),
          bagAsArray: false,
        },
      ],
      index,
      limit: undefined,
      keepNull: false,
      columns: [index, row],
    }),
    columns: [row],
    order: [],
    partition: [],
  };
  const part = (place: bigint, name: string, type: "string" | "long"): Item => ({
    column: session.newColumn(name, type),
    expression: cast(call("element", [columnOf(row), literal("long", place)], "dynamic"), type),
  });
  const parts = [
    part(0n, "text", "string"),
    part(1n, "Pattern", "string"),
    part(2n, "Count", "long"),
    part(3n, "Representative", "string"),
  ];
  const [found = text, ...shown] = parts.map(({ column }) => column);
  return { bound: project(unfolded, parts), text: found, shown };
}

function onePatternEach(session: Session, { bound, shown }: Patterns): Bound {
  const order = session.newColumn("order", "long");
  const [, count] = shown;
  return {
    relation: relation({
      kind: "aggregate",
      input: bound.relation,
      keys: shown.map((column) => ({ column, expression: columnOf(column) })),
      aggregates: [{ column: order, expression: aggregate("count", [], "long") }],
      order: [],
      columns: [...shown, order],
    }),
    columns: shown,
    order: count === undefined ? [] : [{ column: count, descending: true, nullsFirst: false }],
    partition: [],
  };
}

function besideSource(rows: Bound, { bound, text, shown }: Patterns): Bound {
  const own = rows.columns.at(-1) ?? text;
  return {
    ...rows,
    relation: relation({
      kind: "join",
      joinKind: "inner",
      left: rows.relation,
      right: bound.relation,
      on: [[columnOf(own), columnOf(text)]],
      columns: [...rows.relation.columns, ...bound.relation.columns],
    }),
    columns: [...rows.columns.slice(0, -1), ...shown],
  };
}
