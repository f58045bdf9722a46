// Small steps from one table to the next, keeping the hidden columns that order and groups need.

import {
  call,
  columnOf,
  literal,
  windowCall,
  type Column,
  type Expression,
  type WindowExpression,
} from "../plan/expression.ts";
import { relation, type Item, type Relation, type SortKey } from "../plan/relation.ts";
import type { Bound, Environment, Session } from "./session.ts";
import type { Scope } from "./scope.ts";

export function environmentOf(bound: Bound, scope: Scope): Environment {
  return { scope, columns: bound.columns };
}

/** Columns that are not shown but still needed. */
export function hiddenColumns(bound: Bound, shown: readonly Column[]): Column[] {
  const ids = new Set(shown.map(({ id }) => id));
  const found: Column[] = [];
  for (const column of [...bound.order.map((key) => key.column), ...bound.partition]) {
    if (ids.has(column.id)) continue;
    ids.add(column.id);
    found.push(column);
  }
  return found;
}

export const keep = (column: Column): Item => ({ column, expression: columnOf(column) });

/** Shows exactly these items. */
export function project(bound: Bound, items: readonly Item[]): Bound {
  const columns = items.map(({ column }) => column);
  const hidden = hiddenColumns(bound, columns);
  const unchanged =
    bound.relation.kind !== "table" && items.every(({ column, expression }) => isSame(column, expression));
  if (unchanged) return { ...bound, columns };
  return {
    ...bound,
    relation: relation({
      kind: "project",
      input: bound.relation,
      items: [...items, ...hidden.map(keep)],
      columns: [...columns, ...hidden],
    }),
    columns,
  };
}

function isSame(column: Column, expression: Expression): boolean {
  return expression.kind === "column" && expression.column.id === column.id;
}

/** Adds items; an item with the name of a column takes its place. */
export function extend(bound: Bound, items: readonly Item[]): Bound {
  const byName = new Map(items.map((item) => [item.column.name, item]));
  const shown = bound.columns.map((column) => byName.get(column.name) ?? keep(column));
  const known = new Set(bound.columns.map(({ name }) => name));
  return project(bound, [...shown, ...[...byName.values()].filter(({ column }) => !known.has(column.name))]);
}

/** Adds columns that the user does not see. */
export function extendHidden(bound: Bound, items: readonly Item[]): Relation {
  if (items.length === 0) return bound.relation;
  const present = [...bound.columns, ...hiddenColumns(bound, bound.columns)];
  return relation({
    kind: "project",
    input: bound.relation,
    items: [...present.map(keep), ...items],
    columns: [...present, ...items.map(({ column }) => column)],
  });
}

export function filter(bound: Bound, predicate: Expression): Bound {
  return {
    ...bound,
    relation: relation({ kind: "filter", input: bound.relation, predicate, columns: bound.relation.columns }),
  };
}

/** The same rows under columns of their own, for a table that is read twice. */
export function refresh(session: Session, bound: Bound): Bound {
  const fresh = new Map<number, Column>();
  const renew = (column: Column): Column => {
    const known = fresh.get(column.id) ?? session.newColumn(column.name, column.type);
    fresh.set(column.id, known);
    return known.name === column.name ? known : { ...known, name: column.name };
  };
  const all = [...bound.columns, ...hiddenColumns(bound, bound.columns)];
  const items = all.map((column) => ({ column: renew(column), expression: columnOf(column) }));
  return {
    relation: relation({ kind: "project", input: bound.relation, items, columns: items.map(({ column }) => column) }),
    columns: bound.columns.map(renew),
    order: bound.order.map((key) => ({ ...key, column: renew(key.column) })),
    partition: bound.partition.map(renew),
  };
}

export function sorted(keys: readonly SortKey[], before: readonly SortKey[]): SortKey[] {
  const ids = new Set(keys.map(({ column }) => column.id));
  return [...keys, ...before.filter(({ column }) => !ids.has(column.id))];
}

/** Gathers window functions while expressions are bound, then puts them below. */
export class WindowCollector {
  readonly #items: Item<WindowExpression>[] = [];
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  take = (found: WindowExpression): Expression => {
    const column = this.#session.newColumn(found.name, found.type);
    this.#items.push({ column, expression: found });
    return columnOf(column);
  };

  /** The table with the gathered columns in it. */
  below(bound: Bound): Bound {
    const isSession = ({ expression }: Item<WindowExpression>): boolean => expression.name === "row_window_session";
    const plain = this.#items.filter((item) => !isSession(item));
    const columns = [...bound.columns, ...hiddenColumns(bound, bound.columns)];
    const windowed: Bound = {
      ...bound,
      relation: relation({
        kind: "window",
        input: bound.relation,
        items: plain,
        order: bound.order,
        partition: bound.partition,
        columns: [...columns, ...plain.map(({ column }) => column)],
      }),
    };
    return this.#items
      .filter(isSession)
      .reduce((below, item) => sessionStarts(this.#session, below, item), plain.length === 0 ? bound : windowed);
  }
}

/** row_window_session(): the time at which the session of each row began, found row by row. */
function sessionStarts(session: Session, bound: Bound, { column, expression }: Item<WindowExpression>): Bound {
  const [at, fromFirst, between, restart] = expression.args;
  if (at === undefined || fromFirst === undefined || between === undefined) return bound;
  const absent: Expression = literal("datetime", null);
  const last = session.newColumn("last", "datetime");
  const [start, before] = [session.newColumn("start", "datetime"), session.newColumn("before", "datetime")];
  const distance = (column_: Column): Expression => call("subtract", [at, columnOf(column_)], "timespan");
  const either = (tests: readonly Expression[]): Expression => tests.reduce((a, b) => call("or", [a, b], "bool"));
  const begins = either([
    call("isnull", [columnOf(start)], "bool"),
    call("greater", [distance(start), fromFirst], "bool"),
    call("greater", [distance(before), between], "bool"),
    ...(restart === undefined ? [] : [restart]),
  ]);
  const columns = [...bound.relation.columns];
  return {
    ...bound,
    relation: relation({
      kind: "scan",
      input: bound.relation,
      order: bound.order,
      partition: bound.partition,
      declared: [
        { column, expression: absent },
        { column: last, expression: absent },
      ],
      steps: [
        {
          output: "all",
          condition: literal("bool", true),
          assignments: [
            { column, expression: call("iff", [begins, at, columnOf(start)], "datetime") },
            { column: last, expression: at },
          ],
          state: [
            { column: start, expression: columnOf(column) },
            { column: before, expression: columnOf(last) },
          ],
        },
      ],
      matchId: undefined,
      columns: [...columns, column],
    }),
  };
}

/** A hidden number for each row, in the order of the table. */
export function numbered(session: Session, bound: Bound): { readonly bound: Bound; readonly number: Column } {
  const number = session.newColumn("row", "long");
  const columns = [...bound.columns, ...hiddenColumns(bound, bound.columns)];
  return {
    number,
    bound: {
      ...bound,
      relation: relation({
        kind: "window",
        input: bound.relation,
        items: [{ column: number, expression: windowCall("row_number", [], "long") }],
        order: bound.order,
        partition: [],
        columns: [...columns, number],
      }),
    },
  };
}
