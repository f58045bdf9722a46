// Aggregates to SQL. A condition becomes FILTER; empty groups give KQL's neutral values.

import { unsupported } from "../errors.ts";
import type { AggregateExpression } from "../plan/expression.ts";
import type { SortKey } from "../plan/relation.ts";
import type { Emitter } from "./context.ts";
import { jsonOf } from "./functions/convert.ts";
import { wrap64 } from "./functions/math.ts";
import { runtimeCall } from "./runtime-call.ts";
import { plain, sql, type Sql } from "./sql.ts";

interface AggregateCall {
  readonly args: readonly Sql[];
  /** ` FILTER (WHERE …)` or nothing, with a further condition. */
  readonly filter: (also?: string) => string;
  /** ` ORDER BY …` or nothing, for lists. */
  readonly order: string;
  readonly expression: AggregateExpression;
  readonly emitter: Emitter;
}

type AggregateEmitter = (call: AggregateCall) => Sql;

export function emitAggregate(expression: AggregateExpression, order: readonly SortKey[], emitter: Emitter): Sql {
  const emit = aggregateEmitters[expression.name];
  if (emit === undefined) throw unsupported(`The aggregate ${expression.name}()`, expression.span);
  const predicate = expression.predicate === undefined ? undefined : emitter.predicate(expression.predicate);
  return emit({
    args: expression.args.map((arg) => emitter.value(arg)),
    filter: (also) => {
      const conditions = [predicate, also].filter((item) => item !== undefined);
      return conditions.length === 0 ? "" : ` FILTER (WHERE ${conditions.join(" AND ")})`;
    },
    order: orderClause(order, emitter),
    expression,
    emitter,
  });
}

export function orderClause(order: readonly SortKey[], emitter: Pick<Emitter, "columns">): string {
  const keys = order.flatMap(({ column, descending, nullsFirst }) => {
    const value = emitter.columns.get(column.id);
    if (value === undefined) return [];
    const text = value.type === "string" ? plain(value) : value.text;
    const key = `${text} ${descending ? "DESC" : "ASC"} NULLS ${nullsFirst ? "FIRST" : "LAST"}`;
    // Not-a-number stands next to null, whichever way the numbers run.
    return value.type === "real"
      ? [`isnan(${text}) ${nullsFirst ? "DESC NULLS FIRST" : "ASC NULLS LAST"}`, key]
      : [key];
  });
  return keys.length === 0 ? "" : ` ORDER BY ${keys.join(", ")}`;
}

const first = (call: AggregateCall): Sql => call.args[0] ?? sql("long", "1");

const statistic =
  (name: string): AggregateEmitter =>
  (call) => {
    const text = `(${first(call).text})::DOUBLE`;
    return sql("real", `coalesce(${name}(${text})${call.filter()}, 0)`);
  };

const covariance =
  (name: string): AggregateEmitter =>
  (call) => {
    const [x, y] = call.args;
    return sql("real", `coalesce(${name}((${x?.text})::DOUBLE, (${y?.text})::DOUBLE)${call.filter()}, 0)`);
  };

const extreme =
  (name: "min" | "max"): AggregateEmitter =>
  (call) => {
    const value = first(call);
    const text = `${name}(${value.type === "datetime" ? value.text : plain(value)})${call.filter()}`;
    if (value.type === "string") return sql("string", `coalesce(${text}, '')`);
    // NaN is the largest to DuckDB; in KQL it wins in both directions.
    const nan = `(CASE WHEN isnan(max(${value.text})${call.filter()}) THEN 'nan'::DOUBLE ELSE ${text} END)`;
    return sql(value.type, value.type === "real" && name === "min" ? nan : text, { timestamp: value.timestamp });
  };

const extremeRow =
  (name: "arg_min" | "arg_max"): AggregateEmitter =>
  (call) => {
    const [value, by] = call.args;
    if (value === undefined || by === undefined) return undefined as never;
    const key = by.type === "datetime" ? by.text : plain(by);
    const wanted = value.type === "datetime" ? value.text : plain(value);
    const found = `${name}_null(${wanted}, ${key})${call.filter()}`;
    const best = `${name === "arg_max" ? "max" : "min"}(${key})${call.filter()}`;
    // Where every key is null, any row will do.
    const text =
      by.type === "string" || by.present === true
        ? found
        : `(CASE WHEN ${best} IS NULL THEN first(${wanted})${call.filter()} ELSE ${found} END)`;
    return sql(value.type, value.type === "string" ? `coalesce(${text}, '')` : text, { timestamp: value.timestamp });
  };

const bits =
  (name: string): AggregateEmitter =>
  (call) =>
    sql("long", `${name}(${first(call).text})${call.filter()}`);

function present(value: Sql): string | undefined {
  if (value.type === "string") return undefined;
  if (value.type === "dynamic") return undefined;
  return `${value.text} IS NOT NULL`;
}

/** Values as DuckDB keeps them best inside a list that becomes JSON. */
function listed(value: Sql): string {
  switch (value.type) {
    case "string":
      return plain(value);
    case "bool":
    case "int":
    case "long":
      return value.text;
    default:
      return jsonOf(value);
  }
}

function sized(call: AggregateCall, text: string): string {
  const size = call.args[1];
  return size === undefined ? text : `(${text})[1:${size.text}]`;
}

function jsonList(text: string): Sql {
  return sql("dynamic", `coalesce(to_json(${text}), '[]'::JSON)`);
}

/** The values in one list, given to a function. */
function gathered(call: AggregateCall, name: string): Sql {
  const values = jsonList(`list(${jsonOf(first(call))})${call.filter()}`);
  return runtimeCall(name, [values], "dynamic", call.emitter.context);
}

const aggregateEmitters: Readonly<Record<string, AggregateEmitter>> = {
  count: (call) => sql("long", `count(*)${call.filter()}`),
  sum: (call) => {
    const value = first(call);
    const text = `sum(${value.text})${call.filter()}`;
    if (value.type === "real") return sql("real", `coalesce(${text}, 0)`);
    if (value.type === "decimal") return sql("decimal", `coalesce(${text}, 0)::DECIMAL(38,18)`);
    const total = `coalesce(${text}, 0)`;
    return sql(call.expression.type, call.emitter.context.wrap ? wrap64(total) : `${total}::BIGINT`);
  },
  avg: (call) => {
    const value = first(call);
    const text = `avg(${value.type === "datetime" ? plain(value) : value.text})${call.filter()}`;
    if (value.type === "timespan" || value.type === "datetime") return sql(value.type, `trunc(${text})::BIGINT`);
    if (value.type === "decimal") return sql("decimal", `(${text})::DECIMAL(38,18)`);
    if (call.emitter.context.wrap && value.type !== "real") {
      const total = wrap64(`coalesce(sum(${value.text})${call.filter()}, 0)`);
      return sql("real", `(${total}::DOUBLE / count(${value.text})${call.filter()})`);
    }
    return sql("real", `coalesce(${text}, 'nan'::DOUBLE)`);
  },
  min: extreme("min"),
  max: extreme("max"),
  arg_min: extremeRow("arg_min"),
  arg_max: extremeRow("arg_max"),
  take_any: (call) => {
    const value = first(call);
    const text = `any_value(${value.type === "datetime" ? value.text : plain(value)})${call.filter()}`;
    return sql(value.type, value.type === "string" ? `coalesce(${text}, '')` : text, { timestamp: value.timestamp });
  },
  dcount: (call) => sql("long", `count(DISTINCT ${distinctText(first(call))})${call.filter()}`),
  count_distinct: (call) => sql("long", `count(DISTINCT ${distinctText(first(call))})${call.filter()}`),
  stdev: statistic("stddev_samp"),
  stdevp: statistic("stddev_pop"),
  variance: statistic("var_samp"),
  variancep: statistic("var_pop"),
  covariance: covariance("covar_samp"),
  covariancep: covariance("covar_pop"),
  binary_all_and: bits("bit_and"),
  binary_all_or: bits("bit_or"),
  binary_all_xor: bits("bit_xor"),
  make_list: (call) => {
    const value = first(call);
    const found = jsonList(sized(call, `list(${listed(value)}${call.order})${call.filter(present(value))}`));
    return value.type === "dynamic" ? runtimeCall("flatten", [found], "dynamic", call.emitter.context) : found;
  },
  make_list_with_nulls: (call) => jsonList(sized(call, `list(${listed(first(call))}${call.order})${call.filter()}`)),
  make_set: (call) => {
    const value = first(call);
    const set = runtimeCall(
      "set_of_list",
      [jsonList(`list(${listed(value)}${call.order})${call.filter(present(value))}`)],
      "dynamic",
      call.emitter.context,
    );
    const size = call.args[1];
    return size === undefined ? set : runtimeCall("array_head", [set, size], "dynamic", call.emitter.context);
  },
  make_bag: (call) => {
    const value = first(call);
    const bags = jsonList(`list(${jsonOf(value)}${call.order})${call.filter(present(value))}`);
    return runtimeCall("merge_bags", [bags], "dynamic", call.emitter.context);
  },
  buildschema: (call) => gathered(call, "schema_of_list"),
  hll: (call) => jsonList(`list(DISTINCT ${listed(first(call))})${call.filter(present(first(call)))}`),
  hll_merge: (call) => gathered(call, "hll_union"),
  tdigest: (call) => jsonList(`list(${listed(first(call))})${call.filter(present(first(call)))}`),
  tdigest_merge: (call) => gathered(call, "tdigest_union"),
  percentile: (call) => {
    const [value, percent] = call.args;
    if (value === undefined || percent === undefined) return undefined as never;
    return sql(value.type, `quantile_disc(${plain(value)}, (${percent.text}) / 100.0)${call.filter()}`);
  },
  percentiles_array: (call) => {
    const [value, ...percents] = call.args;
    if (value === undefined) return undefined as never;
    const text = plain(value);
    const lists = percents.map((percent) => `quantile_disc(${text}, (${percent.text}) / 100.0)${call.filter()}`);
    return sql("dynamic", `to_json([${lists.join(", ")}])`);
  },
  percentilew: (call) => {
    const [value, weight, percent] = call.args;
    if (value === undefined || weight === undefined || percent === undefined) return undefined as never;
    return weighted(call, value, weight, percent);
  },
  percentilesw_array: (call) => {
    const [value, weight, ...percents] = call.args;
    if (value === undefined || weight === undefined) return undefined as never;
    const found = percents.map((percent) => weighted(call, value, weight, percent).text);
    return sql("dynamic", `to_json([${found.join(", ")}])`);
  },
};

function weighted(call: AggregateCall, value: Sql, weight: Sql, percent: Sql): Sql {
  const pairs = `list({'v': ${plain(value)}, 'w': ${weight.text}} ORDER BY ${plain(value)})${call.filter(`${value.text} IS NOT NULL`)}`;
  return runtimeCall(
    "weighted_percentile",
    [sql("dynamic", `to_json(${pairs})`), percent],
    value.type,
    call.emitter.context,
  );
}

function distinctText(value: Sql): string {
  if (value.type === "dynamic") return `(${value.text})::VARCHAR`;
  return value.type === "datetime" ? value.text : plain(value);
}

export const aggregateNames = Object.keys(aggregateEmitters);
