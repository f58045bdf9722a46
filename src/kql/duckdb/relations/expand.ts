// mv-expand: arrays beside each other are zipped, short ones padded with null; a bag gives one bag a
// key; null gives one row.

import type { Relation } from "../../plan/relation.ts";
import { createEmitter } from "../scalar.ts";
import { fromClause, namedColumns, seal, selectList, type Shape, type Steps } from "../shapes.ts";
import { columnName, sql, type Sql } from "../sql.ts";

type Expand = Extract<Relation, { readonly kind: "expand" }>;

export function emitExpand(node: Expand, input: Shape, steps: Steps): Shape {
  const emitter = createEmitter(steps.context, input.columns);
  const kept = node.columns.filter(({ id }) => input.columns.has(id));
  const lists = node.items.map((item, index) => ({
    item,
    name: `x${index}`,
    text: elements(emitter.value(item.source).text, item.bagAsArray, node.keepNull),
  }));
  const base = steps.add(
    `SELECT ${[selectList(kept, input.columns), ...lists.map(({ name, text }) => `${text} AS ${name}`)].join(", ")}${fromClause(input)}`,
  );
  const values = new Map<number, Sql>(namedColumns(kept, input.columns));
  const longest =
    lists.length === 1 ? `len(${lists[0]?.name})` : `greatest(${lists.map(({ name }) => `len(${name})`).join(", ")})`;
  values.set(node.index.id, sql("long", `unnest(range(0, ${longest}))`));
  for (const { item, name } of lists) values.set(item.column.id, sql("dynamic", `unnest(${name})`));
  const all = [...kept, node.index, ...node.items.map(({ column }) => column)];
  const shape: Shape = { from: base, where: [], columns: values, computed: true };
  const unnested = seal(steps, shape, all);
  if (node.limit === undefined) return unnested;
  const limit = createEmitter(steps.context, new Map()).value(node.limit).text;
  return { ...unnested, where: [`${columnName(node.index.id)} < ${limit}`] };
}

/** The elements of a value as a list of JSON values. */
function elements(text: string, bagAsArray: boolean, keepNull: boolean): string {
  const keys = `json_keys(${text})`;
  // A pointer: any key may stand in one.
  const path = "'/' || replace(replace(k, '~', '~0'), '/', '~1')";
  const pair = bagAsArray
    ? `json_array(k, json_extract(${text}, ${path}))`
    : `json_object(k, json_extract(${text}, ${path}))`;
  const nothing = keepNull ? "[NULL::JSON]" : "[]::JSON[]";
  return (
    `(CASE json_type(${text}) WHEN 'ARRAY' THEN from_json(${text}, '["json"]')` +
    ` WHEN 'OBJECT' THEN list_transform(${keys}, lambda k: ${pair})` +
    ` WHEN 'NULL' THEN ${nothing} ELSE (CASE WHEN ${text} IS NULL THEN ${nothing} ELSE [${text}] END) END)`
  );
}
