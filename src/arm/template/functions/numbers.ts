import type { Json } from "../../relaxed-json/json.ts";
import type { EvaluationContext } from "../expression/scope.ts";
import { integerAt, refuse, unexpected } from "./arguments.ts";
import { any, type BuiltIn, type BuiltInTable, eager } from "./built-in.ts";

export const numberFunctions: BuiltInTable = {
  add: arithmetic((left, right) => left + right),
  sub: arithmetic((left, right) => left - right),
  mul: arithmetic((left, right) => left * right),
  div: arithmetic((left, right, name) => Math.trunc(left / nonZero(right, name))),
  mod: arithmetic((left, right, name) => left % nonZero(right, name)),
  int: eager(1, 1, (args, _context, name) => toInteger(args, name)),
  float: eager(1, 1, (args, _context, name) => {
    const value = args[0] ?? null;
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    if (typeof number !== "number" || !Number.isFinite(number))
      throw unexpected(name, 0, "a number or a string with a number", args);
    return number;
  }),
  min: extreme(Math.min),
  max: extreme(Math.max),
  range: eager(2, 2, (args, _context, name) => {
    const [start, count] = [integerAt(name, args, 0), integerAt(name, args, 1)];
    if (count < 0 || count > 10_000) throw refuse(name, `the count must be between 0 and 10000 and is ${count}`);
    return Array.from({ length: count }, (_, index) => start + index);
  }),
  copyIndex: eager(0, 2, (args, context, name) => {
    const loop = typeof args[0] === "string" ? args[0] : undefined;
    const offsetAt = loop === undefined ? 0 : 1;
    if (args.length > offsetAt + 1) throw refuse(name, "the offset must be the last argument");
    const offset = args.length > offsetAt ? integerAt(name, args, offsetAt) : 0;
    return currentIndex(context, loop, name) + offset;
  }),
};

function currentIndex(context: EvaluationContext, loop: string | undefined, name: string): number {
  const found =
    loop === undefined
      ? (context.copies.findLast((copy) => copy.kind === "resource") ?? context.copies.at(-1))
      : context.copies.findLast((copy) => copy.name.toLowerCase() === loop.toLowerCase());
  if (found !== undefined) return found.index;
  const what = loop === undefined ? "" : ` The specified loop '${loop}' is not around this place.`;
  throw refuse(
    name,
    `the template function '${name}' is not expected at this location.${what} The function can only be used in a resource or property with copy specified`,
  );
}

function arithmetic(calculate: (left: number, right: number, name: string) => number): BuiltIn {
  return eager(2, 2, (args, _context, name) => {
    const result = calculate(integerAt(name, args, 0), integerAt(name, args, 1), name);
    if (!Number.isSafeInteger(result)) throw refuse(name, "the result is too large for an integer");
    return result === 0 ? 0 : result;
  });
}

function nonZero(divisor: number, name: string): number {
  if (divisor === 0) throw refuse(name, "the divisor must not be zero");
  return divisor;
}

function toInteger(args: readonly Json[], name: string): number {
  const value = args[0] ?? null;
  if (typeof value === "number") return Math.trunc(value);
  if (typeof value === "string" && /^\s*[+-]?\d{1,18}\s*$/.test(value) && Number.isSafeInteger(Number(value)))
    return Number(value);
  throw unexpected(name, 0, "an integer or a string with an integer", args);
}

function extreme(choose: (...numbers: number[]) => number): BuiltIn {
  return eager(1, any, (args, _context, name) => {
    const values = args.length === 1 && Array.isArray(args[0]) ? args[0] : args;
    if (values.length === 0) throw refuse(name, "the array must not be empty");
    return values.map((_, index) => integerAt(name, values, index)).reduce((left, right) => choose(left, right));
  });
}
