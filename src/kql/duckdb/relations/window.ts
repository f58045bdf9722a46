// Window functions in the order that the table carries.

import { unsupported } from "../../errors.ts";
import type { WindowExpression } from "../../plan/expression.ts";
import type { Item, Relation } from "../../plan/relation.ts";
import { orderClause } from "../aggregates.ts";
import type { Emitter } from "../context.ts";
import { createEmitter } from "../scalar.ts";
import { fromClause, groupTexts, namedColumns, selectList, type Shape, type Steps } from "../shapes.ts";
import { columnName, literalSql, plain, quoteText, sql, type Sql } from "../sql.ts";

type Window = Extract<Relation, { readonly kind: "window" }>;

const running = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW";

export function emitWindow(node: Window, input: Shape, steps: Steps): Shape {
  const simple = node.items.filter(({ expression }) => restartOf(expression) === undefined);
  const restarting = node.items.filter(({ expression }) => restartOf(expression) !== undefined);
  let shape = simple.length === 0 ? input : layer(node, input, simple, "", steps);
  for (const item of restarting) shape = emitRestarting(node, shape, item, steps);
  return shape;
}

function restartOf(expression: WindowExpression): WindowExpression["args"][number] | undefined {
  if (expression.name.startsWith("row_rank")) return expression.args[0];
  return expression.name === "row_number" || expression.name === "row_cumsum" ? expression.args[1] : undefined;
}

function partitionOf(node: Window, shape: Shape, extra: string): string {
  const groups = groupTexts(node.partition, shape.columns);
  const all = extra === "" ? groups : [...groups, extra];
  return all.length === 0 ? "" : `PARTITION BY ${all.join(", ")}`;
}

function layer(
  node: Window,
  shape: Shape,
  items: readonly Item<WindowExpression>[],
  extra: string,
  steps: Steps,
): Shape {
  const emitter = createEmitter(steps.context, shape.columns);
  const over = `${partitionOf(node, shape, extra)}${orderClause(node.order, emitter)}`;
  const values = new Map(shape.columns);
  for (const { column, expression } of items) values.set(column.id, emitOne(expression, over, emitter));
  const columns = node.columns.filter(({ id }) => values.has(id));
  const name = steps.add(`SELECT ${selectList(columns, values)}${fromClause(shape)}`);
  return { from: name, where: [], columns: namedColumns(columns, values), computed: false };
}

/** Where a condition starts the count anew: number the stretches first, then work in each. */
function emitRestarting(node: Window, shape: Shape, item: Item<WindowExpression>, steps: Steps): Shape {
  const emitter = createEmitter(steps.context, shape.columns);
  const over = `${partitionOf(node, shape, "")}${orderClause(node.order, emitter)}`;
  const { expression, column } = item;
  const isRank = expression.name.startsWith("row_rank");
  const [term, second] = expression.args;
  const restart = isRank ? expression.args[1] : second;
  const stretches = new Map<number, Sql>(shape.columns);
  const flag = restart === undefined ? "false" : emitter.predicate(restart);
  stretches.set(-1, sql("long", `sum(CASE WHEN ${flag} THEN 1 ELSE 0 END) OVER (${over} ${running})`));
  if (isRank && term !== undefined) {
    const text = plain(emitter.value(term));
    stretches.set(
      -2,
      sql("bool", `(${text} IS DISTINCT FROM lag(${text}) OVER (${over}) OR row_number() OVER (${over}) = 1)`),
    );
  }
  const ids = [
    ...node.columns.filter(({ id }) => shape.columns.has(id)),
    ...[-1, -2].filter((id) => stretches.has(id)).map((id) => ({ id, name: "", type: "long" as const })),
  ];
  const list = ids.map(({ id }) => `${stretches.get(id)?.text} AS ${id < 0 ? `w${-id}` : columnName(id)}`).join(", ");
  const name = steps.add(`SELECT ${list}${fromClause(shape)}`);
  const below: Shape = { from: name, where: [], columns: namedColumns(node.columns, shape.columns), computed: false };
  if (!isRank) return layer(node, below, [item], "w1", steps);
  const inner = createEmitter(steps.context, below.columns);
  const again = `${partitionOf(node, below, "w1")}${orderClause(node.order, inner)}`;
  const values = new Map(below.columns);
  const fresh = `(CASE WHEN w2 OR row_number() OVER (${again}) = 1 THEN 1 ELSE 0 END)`;
  const numbered = steps.add(`SELECT *, row_number() OVER (${again}) AS w3, ${fresh} AS w4 FROM ${name}`);
  const rank =
    expression.name === "row_rank_dense"
      ? `sum(w4) OVER (${again} ${running})`
      : `max(CASE WHEN w4 = 1 THEN w3 END) OVER (${again} ${running})`;
  values.set(column.id, sql("long", `(${rank})::BIGINT`));
  const shown = node.columns.filter(({ id }) => values.has(id));
  return {
    from: steps.add(`SELECT ${selectList(shown, values)} FROM ${numbered}`),
    where: [],
    columns: namedColumns(shown, values),
    computed: false,
  };
}

function emitOne(expression: WindowExpression, over: string, emitter: Emitter): Sql {
  const [first, second, third] = expression.args;
  switch (expression.name) {
    case "row_number": {
      const start = first === undefined ? "1" : emitter.value(first).text;
      return sql("long", `(row_number() OVER (${over}) + ${start} - 1)`);
    }
    case "row_cumsum": {
      if (first === undefined) break;
      const value = emitter.value(first);
      const sum = `sum(${value.text}) OVER (${over} ${running})`;
      return sql(expression.type, value.type === "real" ? `coalesce(${sum}, 0)` : `coalesce(${sum}, 0)::BIGINT`);
    }
    case "prev":
    case "next": {
      if (first === undefined) break;
      const value = emitter.value(first);
      const offset = second === undefined ? "1" : emitter.value(second).text;
      const absent = third === undefined ? missing(expression, value) : castDefault(emitter.value(third), value);
      const name = expression.name === "prev" ? "lag" : "lead";
      return sql(value.type, `${name}(${plain(value)}, (${offset})::INTEGER, ${absent}) OVER (${over})`);
    }
    default:
      break;
  }
  throw unsupported(`${expression.name}()`, expression.span);
}

function missing(expression: WindowExpression, value: Sql): string {
  return value.type === "string" ? quoteText("") : literalSql(expression.type, null).text;
}

function castDefault(value: Sql, wanted: Sql): string {
  if (wanted.type === "dynamic" && value.type !== "dynamic") return `to_json(${plain(value)})`;
  return plain(value);
}
