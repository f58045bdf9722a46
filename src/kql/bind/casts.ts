// Conversions that the language does by itself, and the type that several values share.

import { call, literal, type Expression } from "../plan/expression.ts";
import { isInteger, isNumeric, type ScalarType } from "../types.ts";

const conversions: Readonly<Record<ScalarType, string>> = {
  bool: "tobool",
  int: "toint",
  long: "tolong",
  real: "toreal",
  decimal: "todecimal",
  string: "tostring",
  datetime: "todatetime",
  timespan: "totimespan",
  guid: "toguid",
  dynamic: "todynamic",
};

/** The expression as a value of `type`; the same expression when it is one already. */
export function cast(expression: Expression, type: ScalarType): Expression {
  if (expression.type === type) return expression;
  if (expression.kind === "literal") {
    const { value } = expression;
    if (value === null) return literal(type, type === "string" ? "" : null);
    if (typeof value === "bigint" && isInteger(expression.type)) {
      if (type === "long" || (type === "int" && BigInt.asIntN(32, value) === value)) return literal(type, value);
      if (type === "real") return literal(type, Number(value));
      if (type === "decimal") return literal(type, String(value));
      if (type === "string") return literal(type, String(value));
    }
  }
  if (type === "dynamic") return call("asdynamic", [expression], "dynamic");
  return call(conversions[type], [expression], type);
}

/** Two numbers meet in the wider type. */
export function widerNumber(left: ScalarType, right: ScalarType): ScalarType {
  for (const type of ["decimal", "real", "long"] as const) if (left === type || right === type) return type;
  return "int";
}

/** The type in which values of several branches meet. */
export function commonType(types: readonly ScalarType[]): ScalarType {
  const concrete = types.filter((type) => type !== "dynamic");
  const first = concrete[0];
  if (first === undefined) return "dynamic";
  if (concrete.every((type) => type === first)) return first;
  if (concrete.every(isNumeric)) return concrete.reduce<ScalarType>(widerNumber, first);
  return concrete.includes("string") ? "string" : first;
}
