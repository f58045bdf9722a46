// Calls of the functions that are written in TypeScript: DuckDB calls back for each chunk of rows.

import { unsupported } from "../errors.ts";
import { runtimeFunctions } from "../functions/index.ts";
import type { ScalarType } from "../types.ts";
import type { EmitContext } from "./context.ts";
import { literalSql, physicalTypes, plain, sql, type Sql } from "./sql.ts";

const letters: Readonly<Record<ScalarType, string>> = {
  bool: "b",
  int: "l",
  long: "l",
  real: "r",
  decimal: "c",
  string: "s",
  datetime: "t",
  timespan: "p",
  guid: "g",
  dynamic: "d",
};

/** The SQL type in which a value goes to and comes from TypeScript. */
export function transferType(type: ScalarType): "BOOLEAN" | "BIGINT" | "DOUBLE" | "VARCHAR" {
  switch (type) {
    case "bool":
      return "BOOLEAN";
    case "real":
      return "DOUBLE";
    case "int":
    case "long":
    case "datetime":
    case "timespan":
      return "BIGINT";
    default:
      return "VARCHAR";
  }
}

export function runtimeCall(name: string, args: readonly Sql[], returns: ScalarType, context: EmitContext): Sql {
  if (runtimeFunctions[name] === undefined) throw unsupported(`The function ${name}()`);
  const known = returns === "datetime" ? knownMoment(name, args) : undefined;
  if (known !== undefined) return literalSql(returns, known);
  const parameters = args.map(({ type }) => type);
  const sqlName = `kql_${name}_${parameters.map((type) => letters[type]).join("")}_${letters[returns]}`;
  context.runtimeUses.set(sqlName, { sqlName, name, parameters, returns });
  const passed = args.map((arg) => `(${plain(arg)})::${transferType(arg.type)}`);
  // A function without arguments would be a constant that DuckDB cannot type.
  const text = `${sqlName}(${passed.length === 0 ? "NULL::VARCHAR" : passed.join(", ")})`;
  const physical = physicalTypes[returns];
  return sql(returns, transferType(returns) === physical ? text : `${text}::${physical}`);
}

/** A time that no row is needed for, so that what is compared with it can be found by it. */
function knownMoment(name: string, args: readonly Sql[]): bigint | undefined {
  const values = args.flatMap(({ type, constant }) =>
    constant === undefined || constant === null || type === "dynamic" ? [] : [constant],
  );
  if (values.length < args.length) return undefined;
  const result = runtimeFunctions[name]?.(values);
  return typeof result === "bigint" ? result : undefined;
}
