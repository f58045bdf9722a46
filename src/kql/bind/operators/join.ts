// join and lookup.

import { semantic, unsupported } from "../../errors.ts";
import { columnOf, type Column, type Expression } from "../../plan/expression.ts";
import { relation, type JoinKind } from "../../plan/relation.ts";
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
import { UniqueNames } from "../names.ts";
import { comparable } from "../operators-scalar.ts";
import type { Scope } from "../scope.ts";
import type { Bound, Session } from "../session.ts";
import { columnNamed } from "./shape.ts";

type Pair = readonly [Expression, Expression];

const kinds: Readonly<Record<string, { readonly kind: JoinKind; readonly keeps: "both" | "left" | "right" }>> = {
  innerunique: { kind: "inner", keeps: "both" },
  inner: { kind: "inner", keeps: "both" },
  leftouter: { kind: "left", keeps: "both" },
  rightouter: { kind: "right", keeps: "both" },
  fullouter: { kind: "full", keeps: "both" },
  leftsemi: { kind: "semi", keeps: "left" },
  rightsemi: { kind: "semi", keeps: "right" },
  leftanti: { kind: "anti", keeps: "left" },
  leftantisemi: { kind: "anti", keeps: "left" },
  anti: { kind: "anti", keeps: "left" },
  rightanti: { kind: "anti", keeps: "right" },
  rightantisemi: { kind: "anti", keeps: "right" },
};

export function bindJoin(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const kindNode = parametersOf(node).get("kind");
  const name = kindNode === undefined ? "innerunique" : wordOf(kindNode).toLowerCase();
  const found = kinds[name];
  if (found === undefined) throw semantic(`There is no join kind '${name}'.`, spanOf(kindNode ?? node));
  const other = session.table(child(node, "Expression"), scope);
  const condition = optional(node, "ConditionClause");
  if (condition === undefined) throw semantic("A join needs 'on'.", spanOf(node));
  const on = conditions(session, condition, input, other, scope);
  if (found.keeps === "right")
    return half(
      found.kind,
      other,
      input,
      on.map(([left, right]) => [right, left]),
    );
  if (found.keeps === "left") return half(found.kind, input, other, on);
  const left = name === "innerunique" ? firstOfEach(input, on) : input;
  return whole(found.kind, left, other, on);
}

export function bindLookup(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const kindNode = parametersOf(node).get("kind");
  const name = kindNode === undefined ? "leftouter" : wordOf(kindNode).toLowerCase();
  const other = session.table(child(node, "Expression"), scope);
  const on = conditions(session, child(node, "LookupClause"), input, other, scope);
  const keys = new Set(on.flatMap(([, right]) => (right.kind === "column" ? [right.column.id] : [])));
  const joined = whole(name === "inner" ? "inner" : "left", input, other, on);
  return { ...joined, columns: joined.columns.filter((column) => !keys.has(column.id)) };
}

function conditions(session: Session, clause: SyntaxNode, left: Bound, right: Bound, scope: Scope): Pair[] {
  if (kindOf(clause) !== "JoinOnClause") throw unsupported("A join with 'where'", spanOf(clause));
  return items(clause, "Expressions").flatMap((node) => condition(session, node, left, right, scope));
}

function condition(session: Session, node: SyntaxNode, left: Bound, right: Bound, scope: Scope): Pair[] {
  const kind = kindOf(node);
  if (kind === "NameReference") {
    const [a, b] = [columnNamed(node, left.columns), columnNamed(node, right.columns)];
    if (a.type !== b.type) {
      throw semantic(`'${a.name}' is ${a.type} on the left side and ${b.type} on the right.`, spanOf(node));
    }
    return [comparable(columnOf(a), columnOf(b))];
  }
  if (kind === "AndExpression") {
    return ["Left", "Right"].flatMap((side) => condition(session, child(node, side), left, right, scope));
  }
  if (kind === "ParenthesizedExpression") return condition(session, child(node, "Expression"), left, right, scope);
  if (kind !== "EqualExpression") throw unsupported("A join condition that is no equality", spanOf(node));
  const environment = { scope, columns: [], sides: { left: left.columns, right: right.columns } };
  const [first, second] = [child(node, "Left"), child(node, "Right")];
  const sides = [session.expression(first, environment), session.expression(second, environment)] as const;
  return [startsWithRight(first) ? comparable(sides[1], sides[0]) : comparable(sides[0], sides[1])];
}

function startsWithRight(node: SyntaxNode): boolean {
  const kind = kindOf(node);
  if (kind === "NameReference") return nameOf(node) === "$right";
  return kind === "PathExpression" && startsWithRight(child(node, "Expression"));
}

function firstOfEach(input: Bound, on: readonly Pair[]): Bound {
  return {
    ...input,
    relation: relation({
      kind: "firstOfEach",
      input: input.relation,
      keys: on.map(([left]) => left),
      order: input.order,
      columns: input.relation.columns,
    }),
  };
}

function half(kind: JoinKind, left: Bound, right: Bound, on: readonly Pair[]): Bound {
  return {
    ...left,
    relation: relation({
      kind: "join",
      joinKind: kind,
      left: left.relation,
      right: right.relation,
      on,
      columns: left.relation.columns,
    }),
  };
}

function whole(kind: JoinKind, left: Bound, right: Bound, on: readonly Pair[]): Bound {
  const names = new UniqueNames(left.columns.map(({ name }) => name));
  const renamed: Column[] = right.columns.map((column) => ({ ...column, name: names.take(column.name) }));
  const ids = new Set(left.relation.columns.map(({ id }) => id));
  return {
    relation: relation({
      kind: "join",
      joinKind: kind,
      left: left.relation,
      right: right.relation,
      on,
      columns: [...left.relation.columns, ...right.relation.columns.filter(({ id }) => !ids.has(id))],
    }),
    columns: [...left.columns, ...renamed],
    order: [],
    partition: left.partition,
  };
}
