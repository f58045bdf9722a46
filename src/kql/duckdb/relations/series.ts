// make-series: values are gathered by slot, then every slot of every group gets a value.

import type { Relation } from "../../plan/relation.ts";
import { emitAggregate } from "../aggregates.ts";
import { jsonOf } from "../functions/convert.ts";
import { createEmitter } from "../scalar.ts";
import { fromClause, type Shape, type Steps } from "../shapes.ts";
import { columnName, plain, sql, type Sql } from "../sql.ts";

type Series = Extract<Relation, { readonly kind: "series" }>;

/** As in the service. The slots of a series are a list, which DuckDB makes whole outside of its bound of memory. */
const longestSeries = 1_048_576;

export function emitSeries(node: Series, input: Shape, steps: Steps): Shape {
  const emitter = createEmitter(steps.context, input.columns);
  const bare = createEmitter(steps.context, new Map());
  const axis = emitter.value(node.axis.expression);
  const position = plain(axis);
  const step = bare.value(node.step).text;
  const isReal = axis.type === "real";
  const source = steps.add(`SELECT *, ${position} AS a${fromClause(input)}`);
  const start =
    node.from === undefined
      ? `(SELECT ${binned("min(a)", step, isReal)} FROM ${source})`
      : plain(bare.value(node.from));
  const slots =
    node.to === undefined
      ? `(SELECT ${isReal ? `floor((max(a) - ${start}) / ${step})::BIGINT` : `(max(a) - ${start}) // ${step}`} + 1 FROM ${source})`
      : count(start, plain(bare.value(node.to)), step, isReal);
  const tooLong = `error('memory limit: a series has at most ${longestSeries} values')::BIGINT`;
  const bounds = steps.add(
    `SELECT a0, CASE WHEN n > ${longestSeries} THEN ${tooLong} ELSE n END AS n FROM (SELECT ${start} AS a0, ${slots} AS n)`,
    true,
  );
  const slot = isReal ? `floor((a - a0) / ${step})::BIGINT` : `(a - a0) // ${step}`;
  const keys = node.keys.map(({ column, expression }) => ({ column, value: emitter.value(expression) }));
  const keyList = keys.map(({ column, value }) => `${plain(value)} AS ${columnName(column.id)}, `).join("");
  const keyNames = keys.map(({ column }) => `${columnName(column.id)}, `).join("");
  const aggregates = node.items.map(({ column, aggregate }) => ({
    column,
    value: emitAggregate(aggregate, [], emitter),
  }));
  const measures = aggregates.map(({ column, value }) => `, ${value.text} AS ${columnName(column.id)}`).join("");
  const grouped = steps.add(
    `SELECT ${keyList}${slot} AS i${measures} FROM ${source}, ${bounds} WHERE a >= a0 AND ${slot} < n GROUP BY ALL`,
  );
  const groups =
    keys.length === 0
      ? `(SELECT 1 AS one${node.evenEmpty ? "" : ` FROM ${source} LIMIT 1`})`
      : `(SELECT DISTINCT ${keyNames.slice(0, -2)} FROM ${grouped})`;
  const join = [
    "b.i = m.i",
    ...keys.map(({ column }) => `g.${columnName(column.id)} IS NOT DISTINCT FROM m.${columnName(column.id)}`),
  ].join(" AND ");
  const axisValue = sql(axis.type, isReal ? `a0 + b.i * ${step}` : `(a0 + b.i * ${step})::BIGINT`);
  const lists = node.items.map(({ column, aggregate, absent }) => {
    const name = columnName(column.id);
    const filled = sql(aggregate.type, `coalesce(m.${name}, ${plain(bare.value(absent))})`);
    const value = `(CASE WHEN m.i IS NULL THEN ${plain(bare.value(absent))} ELSE m.${name} END)`;
    return `to_json(list(${jsonOf({ ...filled, text: value })} ORDER BY b.i)) AS ${name}`;
  });
  const shown = keys.map(({ column }) => `g.${columnName(column.id)} AS ${columnName(column.id)}, `).join("");
  const grouping =
    keys.length === 0
      ? " HAVING count(*) > 0"
      : ` GROUP BY ${keys.map(({ column }) => `g.${columnName(column.id)}`).join(", ")}`;
  const name = steps.add(
    `SELECT ${shown}${[...lists, `to_json(list(${jsonOf(axisValue)} ORDER BY b.i)) AS ${columnName(node.axis.column.id)}`].join(", ")}` +
      ` FROM ${groups} AS g CROSS JOIN (SELECT a0, unnest(range(0, n)) AS i FROM ${bounds}) AS b LEFT JOIN ${grouped} AS m ON ${join}${grouping}`,
  );
  const columns = new Map<number, Sql>();
  for (const { column, value } of keys) columns.set(column.id, sql(value.type, columnName(column.id)));
  for (const { column } of node.items) columns.set(column.id, sql("dynamic", columnName(column.id)));
  columns.set(node.axis.column.id, sql("dynamic", columnName(node.axis.column.id)));
  return { from: name, where: [], columns, computed: false };
}

function binned(text: string, step: string, isReal: boolean): string {
  return isReal ? `floor(${text} / ${step}) * ${step}` : `${text} - ((${text} % ${step}) + ${step}) % ${step}`;
}

/** The end does not belong to the series. */
function count(start: string, end: string, step: string, isReal: boolean): string {
  return isReal
    ? `greatest(ceil((${end} - ${start}) / ${step})::BIGINT, 0)`
    : `greatest((${end} - ${start} + ${step} - 1) // ${step}, 0)`;
}
