// Evaluates expressions, and whole trees of values with expressions in their strings.

import { isObject, type Json, newObject } from "../../relaxed-json/json.ts";
import { addCopies, propertyCopies } from "../property-copy.ts";
import type { BuiltIn } from "../functions/built-in.ts";
import { functionNamed } from "../functions/table.ts";
import { EvaluationLimitError, ExpressionError, seeFunction } from "./expression-error.ts";
import { isExpressionText, parseExpression, unescapeLiteral } from "./parse-expression.ts";
import type { EvaluationContext, TemplateScope, UserFunction } from "./scope.ts";
import type { CallExpression, Expression } from "./syntax.ts";
import { getElement, getProperty } from "./values.ts";

const maxCallDepth = 64;

export function evaluateText(text: string, context: EvaluationContext): Json {
  if (!isExpressionText(text)) return unescapeLiteral(text);
  return context.budget.admit(evaluate(parsed(text), context));
}

/** Evaluates every string in the value, and its loops. */
export function evaluateTree(value: Json, context: EvaluationContext): Json {
  if (typeof value === "string") return evaluateText(value, context);
  if (Array.isArray(value)) return value.map((element) => evaluateTree(element, context));
  if (!isObject(value)) return value;
  const result = newObject();
  for (const name of Object.keys(value)) {
    const copies = name === "copy" ? propertyCopies(value[name]) : undefined;
    if (copies !== undefined) {
      addCopies(result, copies, context, evaluateTree);
      continue;
    }
    const key = isExpressionText(name) ? evaluateText(name, context) : unescapeLiteral(name);
    if (typeof key !== "string")
      throw new ExpressionError(`The property name '${name}' does not evaluate to a string.`);
    result[key] = evaluateTree(value[name] ?? null, context);
  }
  return result;
}

/** Expressions of copy loops are read once. */
const cache = new Map<string, Expression>();
const cacheLimit = 2_000;

export function parsed(text: string): Expression {
  const known = cache.get(text);
  if (known !== undefined) return known;
  const expression = parseExpression(text);
  if (text.length < 4_096) {
    if (cache.size >= cacheLimit) cache.clear();
    cache.set(text, expression);
  }
  return expression;
}

export function evaluate(expression: Expression, context: EvaluationContext): Json {
  context.budget.step();
  switch (expression.kind) {
    case "literal":
      return expression.value;
    case "property":
      return getProperty(evaluate(expression.target, context), expression.name);
    case "index":
      return getElement(evaluate(expression.target, context), evaluate(expression.index, context));
    case "call":
      return expression.namespace === undefined
        ? callBuiltIn(expression, context)
        : callUserFunction(expression, expression.namespace, context);
  }
}

/** The function that a call means, if there is one that takes so many arguments. */
export function builtInOf(call: CallExpression): BuiltIn {
  const builtIn = functionNamed(call.name);
  if (builtIn === undefined) {
    throw new ExpressionError(
      `The template function '${call.name}' is not valid. Please see https://aka.ms/arm-functions for usage details.`,
    );
  }
  const given = call.args.length;
  if (given < builtIn.min || given > builtIn.max) {
    throw new ExpressionError(
      `Unable to evaluate template language function '${call.name}': function requires ${expected(builtIn.min, builtIn.max)} argument(s) while ${given} were provided. ${seeFunction(call.name)}`,
    );
  }
  return builtIn;
}

function callBuiltIn(call: CallExpression, context: EvaluationContext): Json {
  const builtIn = builtInOf(call);
  if (builtIn.lazily !== undefined) return context.budget.admit(builtIn.lazily(call.args, context, evaluate));
  const args = call.args.map((argument) => evaluate(argument, context));
  context.budget.work(args);
  return context.budget.admit(builtIn.call(args, context, call.name));
}

function expected(min: number, max: number): string {
  if (min === max) return `${min}`;
  return max === Number.POSITIVE_INFINITY ? `at least ${min}` : `${min} to ${max}`;
}

export function userFunctionOf(call: CallExpression, namespace: string, scope: TemplateScope): UserFunction {
  const found = scope.userFunction(namespace, call.name);
  if (found === undefined) {
    throw new ExpressionError(
      `The template function '${namespace}.${call.name}' is not valid: it is not defined in the template. Please see https://aka.ms/arm-syntax-functions for usage details.`,
    );
  }
  if (call.args.length !== found.parameters.length) {
    throw new ExpressionError(
      `Unable to evaluate template language function '${namespace}.${call.name}': function requires ${found.parameters.length} argument(s) while ${call.args.length} were provided. Please see https://aka.ms/arm-syntax-functions for usage details.`,
    );
  }
  return found;
}

function callUserFunction(call: CallExpression, namespace: string, context: EvaluationContext): Json {
  const found = userFunctionOf(call, namespace, context.scope);
  const values = call.args.map((argument) => evaluate(argument, context));
  const inner: EvaluationContext = {
    ...deeper(context),
    functionArguments: new Map(found.parameters.map((name, index) => [name.toLowerCase(), values[index] ?? null])),
    lambdaVariables: new Map(),
    copies: [],
  };
  return context.budget.admit(evaluateTree(found.output, inner));
}

/** The same context one call further down; variables and user functions may not recurse for ever. */
export function deeper(context: EvaluationContext): EvaluationContext {
  if (context.depth >= maxCallDepth) {
    throw new EvaluationLimitError(
      `Variables and functions of the template refer to each other more than ${maxCallDepth} levels deep.`,
    );
  }
  return { ...context, depth: context.depth + 1 };
}
