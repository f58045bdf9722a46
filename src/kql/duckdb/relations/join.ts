// Joins: null keys meet null keys, and the strings of an unmatched side are empty.

import type { Column } from "../../plan/expression.ts";
import type { JoinKind, Relation } from "../../plan/relation.ts";
import { compareSql } from "../functions/logic.ts";
import { createEmitter } from "../scalar.ts";
import { namedColumns, selectList, through, type Shape, type Steps } from "../shapes.ts";
import { ticks, type Sql } from "../sql.ts";

type Join = Extract<Relation, { readonly kind: "join" }>;

const words: Readonly<Record<JoinKind, string>> = {
  inner: "JOIN",
  left: "LEFT JOIN",
  right: "RIGHT JOIN",
  full: "FULL JOIN",
  semi: "SEMI JOIN",
  anti: "ANTI JOIN",
};

export function emitJoin(node: Join, left: Shape, right: Shape, steps: Steps): Shape {
  const leftColumns = through("l", left.columns);
  const rightColumns = through("r", right.columns);
  const onLeft = createEmitter(steps.context, leftColumns);
  const onRight = createEmitter(steps.context, rightColumns);
  const conditions = node.on.map(([a, b]) => keysMeet(onLeft.value(a), onRight.value(b)));
  if (node.condition !== undefined) {
    const both = createEmitter(steps.context, new Map([...rightColumns, ...leftColumns]));
    conditions.push(both.predicate(node.condition));
  }
  const values = new Map<number, Sql>();
  const optionalLeft = node.joinKind === "right" || node.joinKind === "full";
  const optionalRight = node.joinKind === "left" || node.joinKind === "full";
  for (const [id, value] of leftColumns) values.set(id, mayMiss(value, optionalLeft));
  for (const [id, value] of rightColumns) if (!values.has(id)) values.set(id, mayMiss(value, optionalRight));
  const shown: readonly Column[] = node.columns;
  const on = conditions.length === 0 ? "true" : conditions.join(" AND ");
  const select = `SELECT ${selectList(shown, values)} FROM ${left.from} AS l ${words[node.joinKind]} ${right.from} AS r ON ${on}`;
  return { from: steps.add(select), where: [], columns: namedColumns(shown, values), computed: false };
}

function mayMiss(value: Sql, misses: boolean): Sql {
  return misses ? { ...value, nullable: value.type === "string", present: false } : value;
}

function keysMeet(left: Sql, right: Sql): string {
  if (left.type === "string") return compareSql("=", left, right);
  if (left.type === "datetime" && left.timestamp !== right.timestamp) {
    return `(${ticks(left)} IS NOT DISTINCT FROM ${ticks(right)})`;
  }
  if (left.type === "dynamic") return `(${left.text}::VARCHAR IS NOT DISTINCT FROM ${right.text}::VARCHAR)`;
  return `(${left.text} IS NOT DISTINCT FROM ${right.text})`;
}
