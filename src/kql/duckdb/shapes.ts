// A query under construction: what stands behind FROM and WHERE, and how each column is read. Steps
// that fit are merged into one SELECT; otherwise what is there becomes a named step (a CTE).

import type { Column } from "../plan/expression.ts";
import type { Columns, EmitContext } from "./context.ts";
import { columnName, plain, type Sql } from "./sql.ts";

export interface Shape {
  readonly from: string;
  readonly where: readonly string[];
  readonly columns: Columns;
  /** Whether any column is more than a name: then it is not put into further expressions. */
  readonly computed: boolean;
  /** The column whose order the rows have by themselves: DuckDB keeps the order of its sources. */
  readonly natural?: number;
}

/** The steps of one statement, in order. */
export interface Steps {
  readonly context: EmitContext;
  readonly parts: string[];
  readonly shared: Map<number, Shape>;
  add(select: string, materialized?: boolean): string;
  /** A recursive step; `@self` in it stands for its own name. */
  addRecursive(select: string): string;
}

export function createSteps(context: EmitContext): Steps {
  const parts: string[] = [];
  return {
    context,
    parts,
    shared: new Map(),
    add: (select, materialized = false) => {
      const name = `s${parts.length + 1}`;
      parts.push(`${name} AS ${materialized ? "" : "NOT "}MATERIALIZED (${select})`);
      return name;
    },
    addRecursive: (select) => {
      const name = `s${parts.length + 1}`;
      parts.push(`${name} AS (${select.replaceAll("@self", name)})`);
      return name;
    },
  };
}

export function fromClause(shape: Shape): string {
  return `${shape.from === "" ? "" : ` FROM ${shape.from}`}${shape.where.length === 0 ? "" : ` WHERE ${shape.where.join(" AND ")}`}`;
}

/** The columns as a select list under their internal names. */
export function selectList(columns: readonly Column[], values: Columns): string {
  const listed = columns.flatMap((column) => {
    const value = values.get(column.id);
    return value === undefined ? [] : [`${value.text} AS ${columnName(column.id)}`];
  });
  return listed.length === 0 ? "1 AS c0" : listed.join(", ");
}

/** The columns of a finished step: plain names, with what is known of their values. */
export function namedColumns(columns: readonly Column[], values: Columns): Columns {
  return new Map(
    columns.flatMap((column): (readonly [number, Sql])[] => {
      const value = values.get(column.id);
      if (value === undefined) return [];
      const { type, timestamp, nullable, present } = value;
      return [
        [
          column.id,
          { type, timestamp, nullable, ...(present === true ? { present } : {}), text: columnName(column.id) },
        ],
      ];
    }),
  );
}

/** What tells the groups of a partition apart: a string that is missing belongs to the empty one. */
export function groupTexts(partition: readonly Column[], columns: Columns): string[] {
  return partition.map(({ id }) => {
    const value = columns.get(id);
    return value === undefined ? "NULL" : plain(value);
  });
}

/** Makes a named step of the shape. */
export function seal(steps: Steps, shape: Shape, columns: readonly Column[], tail = ""): Shape {
  const name = steps.add(`SELECT ${selectList(columns, shape.columns)}${fromClause(shape)}${tail}`);
  return {
    from: name,
    where: [],
    columns: namedColumns(columns, shape.columns),
    computed: false,
    natural: tail === "" ? shape.natural : undefined,
  };
}

/** Columns of a step, read through an alias: for joins of two. */
export function through(alias: string, columns: Columns): Columns {
  return new Map([...columns].map(([id, value]) => [id, { ...value, text: `${alias}.${value.text}` }]));
}
