// Arithmetic, comparison and text operators: which types meet, and what comes out.

import { semantic, type Span } from "../errors.ts";
import { call, type Expression } from "../plan/expression.ts";
import { isInteger, isNumeric, type ScalarType } from "../types.ts";
import { cast, commonType, widerNumber } from "./casts.ts";

type Arithmetic = "add" | "subtract" | "multiply" | "divide" | "modulo";

export const arithmeticKinds: Readonly<Record<string, Arithmetic>> = {
  AddExpression: "add",
  SubtractExpression: "subtract",
  MultiplyExpression: "multiply",
  DivideExpression: "divide",
  ModuloExpression: "modulo",
};

export const comparisonKinds: Readonly<Record<string, string>> = {
  EqualExpression: "equal",
  NotEqualExpression: "notEqual",
  LessThanExpression: "less",
  LessThanOrEqualExpression: "lessOrEqual",
  GreaterThanExpression: "greater",
  GreaterThanOrEqualExpression: "greaterOrEqual",
};

/** Operators on text; a leading `!` in the second place negates. */
export const textKinds: Readonly<Record<string, readonly [name: string, negated: boolean]>> = {
  EqualTildeExpression: ["equalIgnoreCase", false],
  BangTildeExpression: ["equalIgnoreCase", true],
  HasExpression: ["has", false],
  NotHasExpression: ["has", true],
  HasCsExpression: ["hasCs", false],
  NotHasCsExpression: ["hasCs", true],
  HasPrefixExpression: ["hasPrefix", false],
  NotHasPrefixExpression: ["hasPrefix", true],
  HasPrefixCsExpression: ["hasPrefixCs", false],
  NotHasPrefixCsExpression: ["hasPrefixCs", true],
  HasSuffixExpression: ["hasSuffix", false],
  NotHasSuffixExpression: ["hasSuffix", true],
  HasSuffixCsExpression: ["hasSuffixCs", false],
  NotHasSuffixCsExpression: ["hasSuffixCs", true],
  ContainsExpression: ["contains", false],
  NotContainsExpression: ["contains", true],
  ContainsCsExpression: ["containsCs", false],
  NotContainsCsExpression: ["containsCs", true],
  StartsWithExpression: ["startsWith", false],
  NotStartsWithExpression: ["startsWith", true],
  StartsWithCsExpression: ["startsWithCs", false],
  NotStartsWithCsExpression: ["startsWithCs", true],
  EndsWithExpression: ["endsWith", false],
  NotEndsWithExpression: ["endsWith", true],
  EndsWithCsExpression: ["endsWithCs", false],
  NotEndsWithCsExpression: ["endsWithCs", true],
  MatchesRegexExpression: ["matchesRegex", false],
  LikeExpression: ["like", false],
  NotLikeExpression: ["like", true],
  LikeCsExpression: ["likeCs", false],
  NotLikeCsExpression: ["likeCs", true],
};

export function negate(expression: Expression): Expression {
  return call("not", [expression], "bool");
}

export function bindArithmetic(name: Arithmetic, left: Expression, right: Expression, span: Span): Expression {
  if (left.type === "dynamic" || right.type === "dynamic") return withDynamic(name, left, right, span);
  if (left.type === "bool" || right.type === "bool") {
    return bindArithmetic(name, boolAsLong(left), boolAsLong(right), span);
  }
  if (isNumeric(left.type) && isNumeric(right.type)) {
    const wider = widerNumber(left.type, right.type);
    const type = wider === "int" ? "long" : wider;
    return call(name, [cast(left, type), cast(right, type)], type, span);
  }
  const type = timeArithmetic(name, left.type, right.type);
  if (type === undefined) {
    throw semantic(`The operator ${name} is not defined for ${left.type} and ${right.type}.`, span);
  }
  return call(name, [left, right], type, span);
}

function boolAsLong(expression: Expression): Expression {
  return expression.type === "bool" ? cast(expression, "long") : expression;
}

function withDynamic(name: Arithmetic, left: Expression, right: Expression, span: Span): Expression {
  const other = left.type === "dynamic" ? right.type : left.type;
  const type: ScalarType = other === "dynamic" || isInteger(other) ? "real" : other;
  const adapt = (side: Expression): Expression => (side.type === "dynamic" ? cast(side, type) : side);
  return bindArithmetic(name, adapt(left), adapt(right), span);
}

function timeArithmetic(name: Arithmetic, left: ScalarType, right: ScalarType): ScalarType | undefined {
  const pair = `${left} ${name} ${right}`;
  switch (pair) {
    case "datetime subtract datetime":
    case "timespan add timespan":
    case "timespan subtract timespan":
    case "timespan modulo timespan":
    case "datetime modulo timespan":
      return "timespan";
    case "datetime add timespan":
    case "datetime subtract timespan":
    case "timespan add datetime":
      return "datetime";
    case "timespan divide timespan":
      return "real";
    default:
      if (name === "multiply" && (left === "timespan" ? isNumeric(right) : right === "timespan" && isNumeric(left))) {
        return "timespan";
      }
      return name === "divide" && left === "timespan" && isNumeric(right) ? "timespan" : undefined;
  }
}

/** Brings both sides of a comparison to one type. */
export function comparable(left: Expression, right: Expression): readonly [Expression, Expression] {
  if (left.type === right.type) return [left, right];
  if (left.type === "dynamic") return [cast(left, wideForDynamic(right.type)), cast(right, wideForDynamic(right.type))];
  if (right.type === "dynamic") return [cast(left, wideForDynamic(left.type)), cast(right, wideForDynamic(left.type))];
  if (isNumeric(left.type) && isNumeric(right.type)) {
    const type = widerNumber(left.type, right.type);
    return [cast(left, type), cast(right, type)];
  }
  if (left.type === "bool" && isNumeric(right.type)) return [cast(left, right.type), right];
  if (right.type === "bool" && isNumeric(left.type)) return [left, cast(right, left.type)];
  const type = commonType([left.type, right.type]);
  return [cast(left, type), cast(right, type)];
}

/** A dynamic number may have a fraction even where the other side has none. */
function wideForDynamic(type: ScalarType): ScalarType {
  return isInteger(type) ? "real" : type;
}

export function bindComparison(name: string, left: Expression, right: Expression, span: Span): Expression {
  const [a, b] = comparable(left, right);
  return call(name, [a, b], "bool", span);
}

export function bindBetween(value: Expression, from: Expression, to: Expression, span: Span): Expression {
  const end = value.type === "datetime" && to.type === "timespan" ? bindArithmetic("add", from, to, span) : to;
  const type = commonType([value.type, from.type, end.type]);
  return call("between", [cast(value, type), cast(from, type), cast(end, type)], "bool", span);
}

export function textOperand(expression: Expression): Expression {
  return expression.type === "string" ? expression : cast(expression, "string");
}
