// Dynamic values: paths go to DuckDB's JSON functions, the rest to our own.

import type { FunctionEmitter } from "../context.ts";
import { plain, quoteText, sql, type Sql } from "../sql.ts";
import { runtimeCall } from "../runtime-call.ts";
import { jsonOf } from "./convert.ts";

const asJson = (value: Sql): string => (value.type === "dynamic" ? value.text : jsonOf(value));

/** A quoted key is read character by character for each row, so plain names stand bare; a key that holds quotes goes another way. */
function keyStep(key: string): string | undefined {
  if (/^[A-Za-z_]\w*$/.test(key)) return `.${key}`;
  return /["\\*]/.test(key) || key === "" ? undefined : `."${key}"`;
}

/** One step further into a value; the steps of a path become one call. */
function walked(value: Sql, step: string, type: Sql["type"]): Sql {
  const path = { base: value.path?.base ?? asJson(value), steps: `${value.path?.steps ?? "$"}${step}` };
  return sql(type, `json_extract(${path.base}, ${quoteText(path.steps)})`, { path });
}

export const dynamicFunctions: Readonly<Record<string, FunctionEmitter>> = {
  /** Null for a text; the names of what JSON has no numbers for are none. */
  notText: ([value]) => {
    const text = value?.text ?? "NULL";
    const isText = `json_type(${text}) = 'VARCHAR' AND ${text}::VARCHAR NOT IN ('"NaN"', '"Infinity"', '"-Infinity"')`;
    return sql("dynamic", `(CASE WHEN ${isText} THEN NULL ELSE ${text} END)`);
  },
  /** Null for a number between two whole ones. */
  notFraction: ([value]) => {
    const text = value?.text ?? "NULL";
    const isFraction = `json_type(${text}) = 'DOUBLE' AND (${text})::DOUBLE % 1 <> 0`;
    return sql("dynamic", `(CASE WHEN ${isFraction} THEN NULL ELSE ${text} END)`);
  },
  member: ([value, key], call) => {
    if (value === undefined || key === undefined) return undefined as never;
    if (typeof key.constant !== "string") return undefined as never;
    const step = keyStep(key.constant);
    return step === undefined ? (undefined as never) : walked(value, step, call.type);
  },
  element: ([value, index], call) => {
    if (value === undefined || index === undefined) return undefined as never;
    if (typeof index.constant === "bigint") {
      return walked(value, index.constant < 0n ? `[#${index.constant}]` : `[${index.constant}]`, call.type);
    }
    const json = asJson(value);
    return sql(
      call.type,
      `json_extract(${json}, '$[' || (CASE WHEN ${index.text} < 0 THEN '#' ELSE '' END) || (${index.text})::VARCHAR || ']')`,
    );
  },
  array_length: ([value]) =>
    sql(
      "long",
      `(CASE WHEN json_type(${asJson(value as Sql)}) = 'ARRAY' THEN json_array_length(${asJson(value as Sql)})::BIGINT END)`,
    ),
  bag_pack: (args) => {
    if (args.length === 0) return sql("dynamic", "'{}'::JSON");
    const keys = args.filter((_, index) => index % 2 === 0).map((key) => key.constant);
    if (new Set(keys).size !== keys.length || keys.includes(undefined)) return undefined as never;
    return sql(
      "dynamic",
      `json_object(${args.map((arg, index) => (index % 2 === 0 ? plain(arg) : jsonOf(arg))).join(", ")})`,
    );
  },
  pack_array: (args) => sql("dynamic", args.length === 0 ? "'[]'::JSON" : `json_array(${args.map(jsonOf).join(", ")})`),
  gettype: ([value]) => {
    const json = asJson(value as Sql);
    return sql(
      "string",
      `(CASE json_type(${json}) WHEN 'ARRAY' THEN 'array' WHEN 'OBJECT' THEN 'dictionary' WHEN 'VARCHAR' THEN 'string' WHEN 'BOOLEAN' THEN 'bool' WHEN 'DOUBLE' THEN 'double' WHEN 'BIGINT' THEN 'long' WHEN 'UBIGINT' THEN 'long' WHEN 'HUGEINT' THEN 'long' ELSE 'null' END)`,
    );
  },
  gettypeOf: ([name]) => name as Sql,
  range: ([from, to, step], _call, emitter) => {
    if (from === undefined || to === undefined) return undefined as never;
    const name = from.type === "datetime" ? "datetime_list" : from.type === "timespan" ? "timespan_list" : undefined;
    if (name === undefined) return undefined as never;
    const width = step ?? sql("timespan", from.type === "datetime" ? "864000000000" : "36000000000");
    return runtimeCall(name, [from, to, width], "dynamic", emitter.context);
  },
};
