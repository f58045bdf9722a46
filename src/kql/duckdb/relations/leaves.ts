// Where rows come from: stored tables, literal rows, ranges.

import type { Relation } from "../../plan/relation.ts";
import type { ColumnBounds } from "../bounds.ts";
import type { TimeBounds } from "../context.ts";
import { createEmitter } from "../scalar.ts";
import { namedColumns, type Shape, type Steps } from "../shapes.ts";
import { columnName, literalSql, physicalTypes, sql, ticks, type Sql } from "../sql.ts";

type Node<Kind extends Relation["kind"]> = Extract<Relation, { readonly kind: Kind }>;

export function emitTable(node: Node<"table">, known: ColumnBounds, steps: Steps): Shape {
  const named = node.columns.flatMap(({ id, name }): (readonly [string, TimeBounds])[] => {
    const bounds = known.get(id);
    return bounds === undefined ? [] : [[name, bounds]];
  });
  const source = steps.context.source(node.database, node.table, new Map(named));
  const columns = new Map<number, Sql>();
  for (const column of node.columns) {
    const stored = source.columns.get(column.name);
    columns.set(
      column.id,
      stored === undefined
        ? literalSql(column.type, null)
        : sql(column.type, stored.sql, {
            timestamp: column.type === "datetime" && stored.timestamp === true,
            nullable: column.type === "string" && stored.notNull !== true,
            present: stored.notNull === true,
          }),
    );
  }
  return { from: source.from, where: [], columns, computed: false };
}

export function emitValues(node: Node<"values">): Shape {
  const names = node.columns.map(({ id }) => columnName(id)).join(", ");
  const columns = new Map(node.columns.map((column) => [column.id, sql(column.type, columnName(column.id))]));
  if (node.rows.length === 0) {
    const empty = node.columns.map(({ id, type }) => `NULL::${physicalTypes[type]} AS ${columnName(id)}`).join(", ");
    return { from: `(SELECT ${empty} WHERE false) AS v`, where: [], columns, computed: false };
  }
  const rows = node.rows.map((row) => `(${row.map(({ type, value }) => literalSql(type, value).text).join(", ")})`);
  return {
    from: `(VALUES ${rows.join(", ")}) AS v(${names})`,
    where: [],
    columns,
    computed: false,
    natural: node.columns.at(-1)?.id,
  };
}

/** The end belongs to the range. */
export function emitRange(node: Node<"range">, steps: Steps): Shape {
  const emitter = createEmitter(steps.context, new Map());
  const [column] = node.columns;
  const [from, to, step] = [node.from, node.to, node.step].map((part) => emitter.value(part));
  if (column === undefined || from === undefined || to === undefined || step === undefined) {
    return { from: "", where: [], columns: new Map(), computed: false };
  }
  const name = columnName(column.id);
  const isReal = column.type === "real" || column.type === "decimal";
  const [first, last, width] = [rangeText(from), rangeText(to), step.text];
  const isComputed = [first, last, width].some((text) => text.includes("SELECT"));
  const series =
    isReal || isComputed
      ? `SELECT (${first} + i * ${width}) AS ${name} FROM range(0, ${endless}) AS r(i) LIMIT (SELECT coalesce(${stepsBetween(first, last, width, isReal)}, 0))`
      : `SELECT ${name} FROM generate_series(${first}, ${last}, ${width}) AS r(${name})`;
  const values = new Map([[column.id, sql(column.type, name)]]);
  return {
    from: steps.add(series),
    where: [],
    columns: namedColumns(node.columns, values),
    computed: false,
    natural: column.id,
  };
}

/** Numbers that are counted off one by one: a list of them would be made whole, outside of any bound of memory. */
const endless = "4611686018427387904";

function stepsBetween(first: string, last: string, width: string, isReal: boolean): string {
  const way = `(${last} - ${first})`;
  if (isReal) return `greatest((floor(${way} / ${width} + 1e-9))::BIGINT + 1, 0)`;
  return `(CASE WHEN ${way} <> 0 AND (${way} > 0) <> (${width} > 0) THEN 0 ELSE ${way} // ${width} + 1 END)`;
}

function rangeText(value: Sql): string {
  return value.type === "datetime" ? ticks(value) : value.text;
}
