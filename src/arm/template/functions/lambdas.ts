// filter, map, reduce and their kin: functions whose last argument is lambda('name', …, expression).

import { isObject, type Json, newObject } from "../../relaxed-json/json.ts";
import { ExpressionError } from "../expression/expression-error.ts";
import type { Evaluate, EvaluationContext } from "../expression/scope.ts";
import type { Expression } from "../expression/syntax.ts";
import { toText } from "../expression/values.ts";
import { arrayAt, booleanAt, objectAt, refuse, textAt } from "./arguments.ts";
import { any, type BuiltInTable, eager, lazy } from "./built-in.ts";

export const lambdaFunctions: BuiltInTable = {
  filter: lazy(2, 2, ([source, body], context, evaluate) => {
    const lambda = readLambda("filter", body, 1, 2, context, evaluate);
    return arrayOf("filter", source, context, evaluate).filter((element, index) =>
      booleanAt("filter", [lambda([element, index])], 0),
    );
  }),
  map: lazy(2, 2, ([source, body], context, evaluate) => {
    const lambda = readLambda("map", body, 1, 2, context, evaluate);
    return arrayOf("map", source, context, evaluate).map((element, index) => lambda([element, index]));
  }),
  mapValues: lazy(2, 2, ([source, body], context, evaluate) => {
    const lambda = readLambda("mapValues", body, 1, 1, context, evaluate);
    const object = objectAt("mapValues", [valueOf(source, context, evaluate)], 0);
    const result = newObject();
    for (const name of Object.keys(object)) result[name] = lambda([object[name] ?? null]);
    return result;
  }),
  reduce: lazy(3, 3, ([source, initial, body], context, evaluate) => {
    const lambda = readLambda("reduce", body, 2, 3, context, evaluate);
    const start = valueOf(initial, context, evaluate);
    return arrayOf("reduce", source, context, evaluate).reduce<Json>(
      (previous, current, index) => context.budget.admit(lambda([previous, current, index])),
      start,
    );
  }),
  sort: lazy(2, 2, ([source, body], context, evaluate) => {
    const isLess = readLambda("sort", body, 2, 2, context, evaluate);
    const comesFirst = (left: Json, right: Json): boolean => booleanAt("sort", [isLess([left, right])], 0);
    return arrayOf("sort", source, context, evaluate).sort((left, right) => {
      if (comesFirst(left, right)) return -1;
      return comesFirst(right, left) ? 1 : 0;
    });
  }),
  toObject: lazy(2, 3, ([source, keyBody, valueBody], context, evaluate) => {
    const keyOf = readLambda("toObject", keyBody, 1, 1, context, evaluate);
    const valueAt = valueBody === undefined ? undefined : readLambda("toObject", valueBody, 1, 1, context, evaluate);
    const result = newObject();
    for (const element of arrayOf("toObject", source, context, evaluate)) {
      result[textAt("toObject", [keyOf([element])], 0)] = valueAt === undefined ? element : valueAt([element]);
    }
    return result;
  }),
  groupBy: lazy(2, 2, ([source, body], context, evaluate) => {
    const keyOf = readLambda("groupBy", body, 1, 1, context, evaluate);
    const result = newObject();
    for (const element of arrayOf("groupBy", source, context, evaluate)) {
      const key = textAt("groupBy", [keyOf([element])], 0);
      const group = result[key];
      if (Array.isArray(group)) group.push(element);
      else result[key] = [element];
    }
    return result;
  }),
  lambda: lazy(1, any, () => {
    throw new ExpressionError(
      "The template function 'lambda' is not expected at this location: it can only be an argument of filter, map, reduce, sort, toObject, groupBy or mapValues.",
    );
  }),
  lambdaVariables: eager(1, 1, (args, context, name) => {
    const variable = textAt(name, args, 0);
    const value = context.lambdaVariables.get(variable.toLowerCase());
    if (value === undefined) throw refuse(name, `no lambda around this place has a variable '${variable}'`);
    return value;
  }),
};

type Lambda = (values: readonly Json[]) => Json;

function readLambda(
  owner: string,
  expression: Expression | undefined,
  min: number,
  max: number,
  context: EvaluationContext,
  evaluate: Evaluate,
): Lambda {
  if (expression?.kind !== "call" || expression.namespace !== undefined || expression.name.toLowerCase() !== "lambda") {
    throw refuse(owner, "the last parameter must be a call of the function 'lambda'");
  }
  const names = expression.args.slice(0, -1).map((argument) => {
    if (argument.kind !== "literal" || typeof argument.value !== "string") {
      throw refuse(owner, "the names of lambda variables must be strings");
    }
    return argument.value.toLowerCase();
  });
  const body = expression.args.at(-1);
  if (body === undefined || names.length < min || names.length > max) {
    const wanted = min === max ? `${min}` : `${min} to ${max}`;
    throw refuse(owner, `the lambda must have ${wanted} variable(s) and has ${names.length}`);
  }
  return (values) => {
    context.budget.step();
    const lambdaVariables = new Map(context.lambdaVariables);
    for (const [index, name] of names.entries()) lambdaVariables.set(name, values[index] ?? null);
    return evaluate(body, { ...context, lambdaVariables });
  };
}

function valueOf(expression: Expression | undefined, context: EvaluationContext, evaluate: Evaluate): Json {
  return expression === undefined ? null : evaluate(expression, context);
}

function arrayOf(
  owner: string,
  expression: Expression | undefined,
  context: EvaluationContext,
  evaluate: Evaluate,
): Json[] {
  const value = valueOf(expression, context, evaluate);
  if (isObject(value))
    throw refuse(owner, `the first parameter must be an array and is the object ${toText(value).slice(0, 80)}`);
  return [...arrayAt(owner, [value], 0)];
}
