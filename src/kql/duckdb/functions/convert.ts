// Conversions between types. They never fail: what cannot be read is null.

import type { FunctionEmitter } from "../context.ts";
import { runtimeCall } from "../runtime-call.ts";
import { plain, quoteText, sql, ticks, type Sql } from "../sql.ts";

/** `tostring()`: null is empty. */
export function textOf(value: Sql): string {
  switch (value.type) {
    case "string":
      return plain(value);
    case "int":
    case "long":
      return typeof value.constant === "bigint"
        ? quoteText(String(value.constant))
        : `coalesce(${value.text}::VARCHAR, '')`;
    case "bool":
      return `(CASE WHEN ${value.text} THEN 'True' WHEN ${value.text} IS NULL THEN '' ELSE 'False' END)`;
    case "real":
      return realText(value.text);
    case "decimal":
      return `coalesce(rtrim(rtrim(${value.text}::VARCHAR, '0'), '.'), '')`;
    case "guid":
      return `coalesce(${value.text}, '')`;
    case "dynamic":
      return value.path === undefined
        ? dynamicText(value.text)
        : `coalesce(json_extract_string(${value.path.base}, ${quoteText(value.path.steps)}), '')`;
    case "timespan":
      return timespanText(value.text);
    default:
      return datetimeText(value);
  }
}

/** DuckDB's form is .NET's for ordinary sizes. */
function realText(text: string): string {
  return `coalesce(CASE WHEN isfinite(${text}) AND abs(${text}) >= 0.0001 AND abs(${text}) < 1e15 THEN ${text}::VARCHAR WHEN isnan(${text}) THEN 'NaN' WHEN isinf(${text}) THEN (CASE WHEN ${text} > 0 THEN 'Infinity' ELSE '-Infinity' END) WHEN ${text} = 0 THEN '0.0' ELSE regexp_replace(upper(${text}::VARCHAR), '^(-?\\d+)E', '\\1E') END, '')`;
}

function dynamicText(text: string): string {
  return `coalesce(json_extract_string(${text}, '$'), '')`;
}

function timespanText(text: string): string {
  const size = `abs(${text})`;
  const part = (unit: string, modulo: string): string => `lpad(((${size} // ${unit}) % ${modulo})::VARCHAR, 2, '0')`;
  return (
    `(CASE WHEN ${text} IS NULL THEN '' ELSE (CASE WHEN ${text} < 0 THEN '-' ELSE '' END)` +
    ` || (CASE WHEN ${size} >= 864000000000 THEN (${size} // 864000000000)::VARCHAR || '.' ELSE '' END)` +
    ` || ${part("36000000000", "24")} || ':' || ${part("600000000", "60")} || ':' || ${part("10000000", "60")}` +
    ` || (CASE WHEN ${size} % 10000000 <> 0 THEN '.' || lpad((${size} % 10000000)::VARCHAR, 7, '0') ELSE '' END) END)`
  );
}

function datetimeText(value: Sql): string {
  if (value.timestamp) {
    return `coalesce(strftime(${value.text}, '%Y-%m-%dT%H:%M:%S.%f') || '0Z', '')`;
  }
  const stamp = `make_timestamp(${value.text} // 10 - 62135596800000000)`;
  return `coalesce(strftime(${stamp}, '%Y-%m-%dT%H:%M:%S.') || lpad((${value.text} % 10000000)::VARCHAR, 7, '0') || 'Z', '')`;
}

/** A value as JSON, for arrays and bags. */
export function jsonOf(value: Sql): string {
  switch (value.type) {
    case "dynamic":
      return value.text;
    case "bool":
    case "int":
    case "long":
      return `to_json(${value.text})`;
    case "real":
      return `(CASE WHEN isfinite(${value.text}) THEN to_json(${value.text}) ELSE to_json(${realText(value.text)}) END)`;
    case "decimal":
      return `to_json(${textOf(value)})`;
    case "string":
      return `to_json(${plain(value)})`;
    case "guid":
      return `to_json(${value.text})`;
    default:
      return `to_json(nullif(${textOf(value)}, ''))`;
  }
}

function toLong(type: "int" | "long"): FunctionEmitter {
  const physical = type === "int" ? "INTEGER" : "BIGINT";
  return ([value], call, emitter) => {
    if (value === undefined) return undefined as never;
    switch (value.type) {
      case "int":
        return sql(type, type === "int" ? value.text : `(${value.text})::BIGINT`);
      case "long":
        return type === "long" ? value : runtimeCall("toint", [value], type, emitter.context);
      case "bool":
        return sql(type, `(${value.text})::${physical}`);
      case "decimal":
        return sql(type, `try_cast(trunc(${value.text}) AS ${physical})`);
      case "datetime":
        return sql(type, ticks(value));
      case "timespan":
        return sql(type, value.text);
      case "string":
        return sql(type, stringToLong(plain(value), type, runtimeCall(call.name, [value], type, emitter.context).text));
      default:
        return runtimeCall(type === "int" ? "toint" : "tolong", [value], type, emitter.context);
    }
  };
}

/** Plain digits are read by DuckDB; anything else is left to our own reader. */
function stringToLong(text: string, type: "int" | "long", otherwise: string): string {
  const limit = type === "int" ? 9 : 18;
  return `(CASE WHEN length(${text}) <= ${limit} AND regexp_full_match(${text}, '[0-9]+') THEN try_cast(${text} AS ${type === "int" ? "INTEGER" : "BIGINT"}) ELSE ${otherwise} END)`;
}

export const convertFunctions: Readonly<Record<string, FunctionEmitter>> = {
  tostring: ([value]) => sql("string", textOf(value as Sql)),
  toint: toLong("int"),
  tolong: toLong("long"),
  toreal: ([value], _call, emitter) => {
    if (value === undefined) return undefined as never;
    if (value.type === "real") return value;
    if (value.type === "dynamic" || value.type === "string")
      return runtimeCall("toreal", [value], "real", emitter.context);
    if (value.type === "datetime") return sql("real", `(${ticks(value)})::DOUBLE`);
    return sql("real", `(${value.text})::DOUBLE`);
  },
  todecimal: ([value]) => {
    if (value === undefined) return undefined as never;
    const text =
      value.type === "dynamic" || value.type === "string" ? `nullif(trim(${textOf(value)}), '')` : value.text;
    return sql("decimal", `try_cast(${text} AS DECIMAL(38,18))`);
  },
  tobool: ([value], _call, emitter) => {
    if (value === undefined) return undefined as never;
    if (value.type === "bool") return value;
    if (value.type === "string" || value.type === "dynamic")
      return runtimeCall("tobool", [value], "bool", emitter.context);
    return sql("bool", `(${value.text} <> 0)`);
  },
  todatetime: ([value], _call, emitter) => {
    if (value === undefined) return undefined as never;
    if (value.type === "datetime") return value;
    if (value.type === "int" || value.type === "long") return sql("datetime", value.text);
    return runtimeCall(
      "todatetime",
      [value.type === "dynamic" ? sql("string", textOf(value)) : value],
      "datetime",
      emitter.context,
    );
  },
  totimespan: ([value], _call, emitter) => {
    if (value === undefined) return undefined as never;
    if (value.type === "timespan") return value;
    if (value.type === "int" || value.type === "long") return sql("timespan", `(${value.text})::BIGINT`);
    return runtimeCall("totimespan", [sql("string", textOf(value))], "timespan", emitter.context);
  },
  toguid: ([value], _call, emitter) => {
    if (value === undefined) return undefined as never;
    if (value.type === "guid") return value;
    return runtimeCall("toguid", [sql("string", textOf(value))], "guid", emitter.context);
  },
  asdynamic: ([value]) => sql("dynamic", jsonOf(value as Sql)),
  parsejson: ([value]) => {
    if (value === undefined) return undefined as never;
    if (value.type === "dynamic") return sql("dynamic", reparsed(value.text));
    if (value.type !== "string") return sql("dynamic", jsonOf(value));
    const text = plain(value);
    return sql(
      "dynamic",
      `(CASE WHEN ${text} = '' THEN NULL WHEN json_valid(${text}) THEN ${text}::JSON ELSE to_json(${text}) END)`,
    );
  },
};

/** A text inside a dynamic value is read again; other values stay. */
function reparsed(text: string): string {
  const inner = `json_extract_string(${text}, '$')`;
  return `(CASE WHEN json_type(${text}) = 'VARCHAR' THEN (CASE WHEN json_valid(${inner}) THEN ${inner}::JSON ELSE ${text} END) ELSE ${text} END)`;
}
