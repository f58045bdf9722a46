import type { Json } from "../../relaxed-json/json.ts";
import { compareText, valuesEqual } from "../expression/values.ts";
import { ExpressionError } from "../expression/expression-error.ts";
import { booleanAt, refuse, textAt, unexpected } from "./arguments.ts";
import { any, type BuiltIn, type BuiltInTable, eager, lazy } from "./built-in.ts";

export const logicFunctions: BuiltInTable = {
  and: lazy(2, any, (args, context, evaluate) =>
    args.every((argument) => booleanAt("and", [evaluate(argument, context)], 0)),
  ),
  or: lazy(2, any, (args, context, evaluate) =>
    args.some((argument) => booleanAt("or", [evaluate(argument, context)], 0)),
  ),
  not: eager(1, 1, (args, _context, name) => !booleanAt(name, args, 0)),
  true: eager(0, 0, () => true),
  false: eager(0, 0, () => false),
  null: eager(0, 0, () => null),
  bool: eager(1, 1, (args, _context, name) => {
    const value = args[0] ?? null;
    if (typeof value === "boolean") return value;
    if (typeof value === "number") return value !== 0;
    if (typeof value === "string" && /^true$/i.test(value.trim())) return true;
    if (typeof value === "string" && /^false$/i.test(value.trim())) return false;
    throw unexpected(name, 0, "a boolean, an integer, 'true' or 'false'", args);
  }),
  if: lazy(3, 3, ([condition, whenTrue, whenFalse], context, evaluate) => {
    if (condition === undefined || whenTrue === undefined || whenFalse === undefined) return null;
    return evaluate(booleanAt("if", [evaluate(condition, context)], 0) ? whenTrue : whenFalse, context);
  }),
  coalesce: lazy(1, any, (args, context, evaluate) => {
    for (const argument of args) {
      const value = evaluate(argument, context);
      if (value !== null) return value;
    }
    return null;
  }),
  fail: eager(1, 1, (args, _context, name) => {
    throw new ExpressionError(textAt(name, args, 0));
  }),
  equals: eager(2, 2, ([left = null, right = null]) => valuesEqual(left, right)),
  less: comparison((order) => order < 0),
  lessOrEquals: comparison((order) => order <= 0),
  greater: comparison((order) => order > 0),
  greaterOrEquals: comparison((order) => order >= 0),
};

function comparison(holds: (order: number) => boolean): BuiltIn {
  return eager(2, 2, ([left = null, right = null], _context, name) => holds(compare(left, right, name)));
}

function compare(left: Json, right: Json, name: string): number {
  if (typeof left === "number" && typeof right === "number") return left - right;
  if (typeof left === "string" && typeof right === "string") return compareText(left, right);
  throw refuse(name, "both parameters must be integers or both must be strings");
}
