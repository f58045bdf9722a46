// Scalar expressions: from the syntax tree to typed nodes.

import { semantic, unsupported } from "../errors.ts";
import {
  aggregate,
  call,
  columnOf,
  inQuery,
  literal,
  scalarQuery,
  type Column,
  type Expression,
} from "../plan/expression.ts";
import { relation } from "../plan/relation.ts";
import { child, items, kindOf, nameOf, optional, spanOf, tokenText, type SyntaxNode } from "../syntax/node.ts";
import { parseDynamic } from "../values/dynamic.ts";
import { bindCall } from "./calls.ts";
import { cast, commonType } from "./casts.ts";
import { bindLiteral } from "./literals.ts";
import { didYouMean } from "./names.ts";
import {
  arithmeticKinds,
  bindArithmetic,
  bindBetween,
  bindComparison,
  comparisonKinds,
  negate,
  textKinds,
  textOperand,
} from "./operators-scalar.ts";
import type { Environment, Session } from "./session.ts";
import { isTabular } from "./tabular.ts";

type Binder = (session: Session, node: SyntaxNode, environment: Environment) => Expression;

export function bindExpression(session: Session, node: SyntaxNode, environment: Environment): Expression {
  const constant = bindLiteral(node);
  if (constant !== undefined) return constant;
  const kind = kindOf(node);
  const arithmetic = arithmeticKinds[kind];
  const comparison = comparisonKinds[kind];
  const text = textKinds[kind];
  const side = (member: string): Expression => session.expression(child(node, member), environment);
  if (arithmetic !== undefined) return bindArithmetic(arithmetic, side("Left"), side("Right"), spanOf(node));
  if (comparison !== undefined) return bindComparison(comparison, side("Left"), side("Right"), spanOf(node));
  if (text !== undefined) return bindText(session, node, environment, text);
  const binder = binders[kind];
  if (binder !== undefined) return binder(session, node, environment);
  if (isTabular(session, node, environment.scope)) return singleValue(session, node, environment);
  throw unsupported(`${kind} at this place`, spanOf(node));
}

const binders: Readonly<Record<string, Binder>> = {
  NameReference: bindName,
  ParenthesizedExpression: (session, node, environment) => session.expression(child(node, "Expression"), environment),
  SimpleNamedExpression: (session, node, environment) => session.expression(child(node, "Expression"), environment),
  AndExpression: (session, node, environment) => logic("and", session, node, environment),
  OrExpression: (session, node, environment) => logic("or", session, node, environment),
  UnaryMinusExpression: bindMinus,
  UnaryPlusExpression: (session, node, environment) => session.expression(child(node, "Expression"), environment),
  BetweenExpression: (session, node, environment) => bindBetweenNode(session, node, environment),
  NotBetweenExpression: (session, node, environment) => negate(bindBetweenNode(session, node, environment)),
  InExpression: (session, node, environment) => bindIn(session, node, environment, false),
  NotInExpression: (session, node, environment) => negate(bindIn(session, node, environment, false)),
  InCsExpression: (session, node, environment) => bindIn(session, node, environment, true),
  NotInCsExpression: (session, node, environment) => negate(bindIn(session, node, environment, true)),
  HasAnyExpression: (session, node, environment) => bindHasList(session, node, environment, "or"),
  HasAllExpression: (session, node, environment) => bindHasList(session, node, environment, "and"),
  PathExpression: bindPath,
  ElementExpression: bindElement,
  FunctionCallExpression: bindCall,
  ToScalarExpression: (session, node, environment) => singleValue(session, child(node, "Expression"), environment),
  MaterializeExpression: (session, node, environment) => session.expression(child(node, "Expression"), environment),
};

function bindName(session: Session, node: SyntaxNode, environment: Environment): Expression {
  const name = nameOf(node);
  const column = environment.columns.find((known) => known.name === name);
  if (column !== undefined) return columnOf(column);
  const binding = environment.scope.find(name);
  if (binding?.kind === "scalar") return binding.value;
  if (binding?.kind === "table") return singleValue(session, node, environment);
  if (binding?.kind === "function" && binding.parameters.length === 0) return bindCall(session, node, environment);
  const known = [...environment.columns.map((item) => item.name), ...environment.scope.all().keys()];
  throw semantic(`There is no column or variable '${name}' here.${didYouMean(name, known)}`, spanOf(node));
}

/** toscalar(): the first column of the first row. */
function singleValue(session: Session, node: SyntaxNode, environment: Environment): Expression {
  if (!isTabular(session, node, environment.scope)) return session.expression(node, environment);
  const bound = session.table(node, environment.scope);
  const first = bound.columns[0];
  if (first === undefined) throw semantic("The query has no column to take a value from.", spanOf(node));
  return scalarQuery(limited(session, bound.relation, first), first);
}

function limited(
  session: Session,
  input: Parameters<typeof scalarQuery>[0],
  column: Column,
): Parameters<typeof scalarQuery>[0] {
  session.step({ start: 0, length: 0 });
  return Object.freeze({
    kind: "limit",
    input,
    count: literal("long", 1n),
    order: [],
    partition: [],
    columns: [column],
  });
}

function logic(name: "and" | "or", session: Session, node: SyntaxNode, environment: Environment): Expression {
  const left = cast(session.expression(child(node, "Left"), environment), "bool");
  const right = cast(session.expression(child(node, "Right"), environment), "bool");
  return call(name, [left, right], "bool", spanOf(node));
}

function bindMinus(session: Session, node: SyntaxNode, environment: Environment): Expression {
  const operand = session.expression(child(node, "Expression"), environment);
  if (operand.kind === "literal" && operand.value !== null) {
    if (typeof operand.value === "bigint") {
      const minus = operand.type === "timespan" ? -operand.value : BigInt.asIntN(64, -operand.value);
      return literal(operand.type, minus);
    }
    if (typeof operand.value === "number") return literal(operand.type, -operand.value);
    if (operand.type === "decimal") return literal("decimal", `-${operand.value}`);
  }
  const number = operand.type === "dynamic" ? cast(operand, "real") : operand;
  return call(
    "negate",
    [number.type === "int" ? cast(number, "long") : number],
    number.type === "int" ? "long" : number.type,
  );
}

function bindBetweenNode(session: Session, node: SyntaxNode, environment: Environment): Expression {
  const range = child(node, "Right");
  const value = session.expression(child(node, "Left"), environment);
  const from = session.expression(child(range, "First"), environment);
  const to = session.expression(child(range, "Second"), environment);
  return bindBetween(value, from, to, spanOf(node));
}

function bindText(
  session: Session,
  node: SyntaxNode,
  environment: Environment,
  [name, negated]: readonly [string, boolean],
): Expression {
  const left = child(node, "Left");
  const right = textOperand(session.expression(child(node, "Right"), environment));
  const test =
    kindOf(left) === "StarExpression"
      ? environment.columns
          .map((column) => call(name, [textOperand(columnOf(column)), right], "bool", spanOf(node)))
          .reduce<Expression>((either, one) => call("or", [either, one], "bool"), literal("bool", false))
      : call(name, [textOperand(session.expression(left, environment)), right], "bool", spanOf(node));
  return negated ? negate(test) : test;
}

function bindIn(session: Session, node: SyntaxNode, environment: Environment, ignoreCase: boolean): Expression {
  const value = session.expression(child(node, "Left"), environment);
  const listed = items(child(node, "Right"), "Expressions");
  const only = listed[0];
  if (listed.length === 1 && only !== undefined && isTabular(session, only, environment.scope)) {
    const bound = session.table(only, environment.scope);
    const column = bound.columns[0];
    if (column === undefined) throw semantic("The right side of 'in' has no column.", spanOf(only));
    return inQuery(cast(value, column.type), bound.relation, column, ignoreCase);
  }
  const bound = listed.flatMap((item) => unfold(session.expression(item, environment)));
  const arrays = bound.filter(({ type }) => type === "dynamic");
  const scalars = bound.filter(({ type }) => type !== "dynamic");
  const name = ignoreCase ? "inIgnoreCase" : "in";
  const tests: Expression[] = arrays.map((array) =>
    call(`${name}Array`, [cast(value, "dynamic"), array], "bool", spanOf(node)),
  );
  if (scalars.length > 0 || tests.length === 0) {
    const type = commonType([value.type, ...scalars.map((item) => item.type)]);
    tests.push(call(name, [cast(value, type), ...scalars.map((item) => cast(item, type))], "bool", spanOf(node)));
  }
  return tests.reduce((either, one) => call("or", [either, one], "bool"));
}

/** The elements of a literal array as literals; anything else as it is. */
function unfold(expression: Expression): Expression[] {
  if (expression.kind !== "literal" || expression.type !== "dynamic" || typeof expression.value !== "string") {
    return [expression];
  }
  const value = parseDynamic(expression.value);
  if (!Array.isArray(value)) return [expression];
  const scalars = value.map((item) => {
    if (typeof item === "string") return literal("string", item);
    if (typeof item === "bigint") return literal("long", item);
    if (typeof item === "number") return literal("real", item);
    return typeof item === "boolean" ? literal("bool", item) : undefined;
  });
  const types = new Set(scalars.map((item) => item?.type));
  return types.size === 1 && !types.has(undefined) ? scalars.flatMap((item) => item ?? []) : [expression];
}

function bindHasList(session: Session, node: SyntaxNode, environment: Environment, join: "and" | "or"): Expression {
  const value = textOperand(session.expression(child(node, "Left"), environment));
  const terms = items(child(node, "Right"), "Expressions").flatMap((item) =>
    isTabular(session, item, environment.scope)
      ? [allValues(session, item, environment)]
      : unfold(session.expression(item, environment)),
  );
  const tests = terms.map((term) =>
    term.type === "dynamic"
      ? call(join === "or" ? "hasAnyOfArray" : "hasAllOfArray", [value, term], "bool", spanOf(node))
      : call("has", [value, textOperand(term)], "bool", spanOf(node)),
  );
  return tests.reduce((left, right) => call(join, [left, right], "bool"));
}

/** The values of a query's first column as one array. */
function allValues(session: Session, node: SyntaxNode, environment: Environment): Expression {
  const bound = session.table(node, environment.scope);
  const first = bound.columns[0];
  if (first === undefined) throw semantic("The query has no column to take values from.", spanOf(node));
  const column = session.newColumn("values", "dynamic");
  const gathered = relation({
    kind: "aggregate",
    input: bound.relation,
    keys: [],
    aggregates: [{ column, expression: aggregate("make_set", [columnOf(first)], "dynamic") }],
    order: [],
    columns: [column],
  });
  return scalarQuery(gathered, column);
}

function bindPath(session: Session, node: SyntaxNode, environment: Environment): Expression {
  const left = child(node, "Expression");
  const selector = child(node, "Selector");
  if (kindOf(left) === "NameReference") {
    const name = nameOf(left);
    const side = name === "$left" ? environment.sides?.left : name === "$right" ? environment.sides?.right : undefined;
    const found = side ?? environment.states?.get(name);
    if (found !== undefined) return bindName(session, selector, { ...environment, columns: found });
  }
  const value = session.expression(left, environment);
  const bracketed = kindOf(selector) === "BracketedExpression" ? optional(selector, "Expression") : undefined;
  if (bracketed !== undefined) return elementOf(session, value, bracketed, environment, node);
  if (kindOf(selector) !== "NameReference") throw unsupported("This path", spanOf(selector));
  return call("member", [value, literal("string", nameOf(selector))], "dynamic", spanOf(node));
}

function bindElement(session: Session, node: SyntaxNode, environment: Environment): Expression {
  const value = session.expression(child(node, "Expression"), environment);
  const selector = child(node, "Selector");
  const inner = optional(selector, "Expression");
  if (inner === undefined) throw unsupported(`The selector ${tokenText(selector, "Token")}`, spanOf(selector));
  return elementOf(session, value, inner, environment, node);
}

function elementOf(
  session: Session,
  value: Expression,
  keyNode: SyntaxNode,
  environment: Environment,
  node: SyntaxNode,
): Expression {
  const key = session.expression(keyNode, environment);
  if (key.type === "dynamic") return call("elementByValue", [value, key], "dynamic", spanOf(node));
  return key.type === "string"
    ? call("member", [value, key], "dynamic", spanOf(node))
    : call("element", [value, cast(key, "long")], "dynamic", spanOf(node));
}
