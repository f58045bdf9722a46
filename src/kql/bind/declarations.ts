// `let`, functions and their parameters.

import { QueryRefusal, semantic, unsupported, type Span } from "../errors.ts";
import type { Expression } from "../plan/expression.ts";
import { relation } from "../plan/relation.ts";
import { parseOnly } from "../syntax/analyze.ts";
import { child, items, kindOf, nameOf, optional, tokenText, type SyntaxNode } from "../syntax/node.ts";
import { typeNamed, type DatabaseSchema } from "../types.ts";
import { cast } from "./casts.ts";
import { Scope, type FunctionBinding } from "./scope.ts";
import type { Bound, Environment, Session } from "./session.ts";

const savedFunctions = new WeakMap<DatabaseSchema, Map<string, FunctionBinding>>();

/** A function that the catalogue holds. */
export function savedFunction(
  session: Session,
  name: string,
  database: DatabaseSchema | undefined = session.databases[0],
): FunctionBinding | undefined {
  const schema = database?.functions.find((item) => item.name === name);
  if (database === undefined || schema === undefined) return undefined;
  let parsed = savedFunctions.get(database);
  if (parsed === undefined) {
    parsed = new Map();
    savedFunctions.set(database, parsed);
  }
  const known = parsed.get(name);
  if (known !== undefined) return known;
  const [statement] = parseOnly(`let saved = (${schema.parameters}) {\n${schema.body}\n};`);
  const declaration = statement === undefined ? undefined : optional(statement, "Expression");
  if (declaration === undefined) throw semantic(`The saved function ${name} cannot be read.`);
  const binding = functionBinding(declaration, new Scope());
  parsed.set(name, binding);
  return binding;
}

function functionBinding(declaration: SyntaxNode, scope: Scope): FunctionBinding {
  return {
    kind: "function",
    parameters: items(child(declaration, "Parameters"), "Parameters"),
    body: child(declaration, "Body"),
    scope,
    isView: tokenText(declaration, "ViewKeyword") !== "",
  };
}

/** Puts a `let` into the scope. */
export function declareLet(
  session: Session,
  statement: SyntaxNode,
  scope: Scope,
  isTable: (node: SyntaxNode) => boolean,
): void {
  const name = nameOf(child(statement, "Name"));
  const value = child(statement, "Expression");
  if (kindOf(value) === "FunctionDeclaration") {
    scope.declare(name, functionBinding(value, scope));
  } else if (kindOf(value) === "MaterializeExpression" && isTable(value)) {
    scope.declare(name, { kind: "table", bind: sharedTable(session, child(value, "Expression"), scope) });
  } else if (isTable(value)) {
    const outer = frozenView(scope);
    scope.declare(name, { kind: "table", bind: () => session.table(value, outer) });
  } else {
    scope.declare(name, { kind: "scalar", value: session.expression(value, { scope, columns: [] }) });
  }
}

/** The scope as it is now: a later `let` of the same name must not reach into an earlier one. */
function frozenView(scope: Scope): Scope {
  const view = new Scope();
  for (const [name, binding] of scope.all()) view.declare(name, binding);
  return view;
}

/** materialize(): one evaluation, read under fresh columns by each use. */
function sharedTable(session: Session, node: SyntaxNode, scope: Scope): () => Bound {
  const view = frozenView(scope);
  let first: Bound | undefined;
  const key = session.nextKey();
  return () => {
    first ??= session.table(node, view);
    const source = first;
    const fresh = new Map(
      source.relation.columns.map((column) => [column.id, session.newColumn(column.name, column.type)]),
    );
    const renew = (column: (typeof source.columns)[number]) => ({
      ...(fresh.get(column.id) ?? column),
      name: column.name,
    });
    return {
      relation: relation({
        kind: "shared",
        key,
        input: source.relation,
        sources: source.relation.columns,
        columns: source.relation.columns.map(renew),
      }),
      columns: source.columns.map(renew),
      order: source.order.map((item) => ({ ...item, column: renew(item.column) })),
      partition: [],
    };
  };
}

export interface OpenedFunction {
  readonly scope: Scope;
  readonly result: SyntaxNode;
}

/** Binds arguments to parameters and opens the body: its `let`s are declared, its result is left to bind. */
export function openFunction(
  session: Session,
  name: string,
  binding: FunctionBinding,
  args: readonly SyntaxNode[],
  environment: Environment,
  span: Span,
  isTable: (node: SyntaxNode, scope: Scope) => boolean,
  piped?: Bound,
): OpenedFunction {
  session.step(span);
  const inner = new Scope(binding.scope);
  const given = new Map<string, SyntaxNode>();
  const positional = args.filter((arg) => {
    if (kindOf(arg) !== "SimpleNamedExpression") return true;
    given.set(nameOf(child(arg, "Name")), child(arg, "Expression"));
    return false;
  });
  let next = 0;
  binding.parameters.forEach((parameter, index) => {
    const declaration = child(parameter, "NameAndType");
    const parameterName = nameOf(child(declaration, "Name"));
    if (index === 0 && piped !== undefined) {
      inner.declare(parameterName, { kind: "table", bind: () => piped });
      return;
    }
    const named = given.get(parameterName);
    const arg = named ?? positional[next];
    if (named === undefined) next += 1;
    declareParameter(session, name, parameter, arg, inner, environment, span, isTable);
  });
  if (next < positional.length) {
    throw semantic(`${name}() takes ${binding.parameters.length} arguments, not ${args.length}.`, span);
  }
  for (const statement of items(binding.body, "Statements")) {
    if (kindOf(statement) !== "LetStatement") throw unsupported(`${kindOf(statement)} inside a function`, span);
    declareLet(session, statement, inner, (node) => isTable(node, inner));
  }
  const result = optional(binding.body, "Expression");
  if (result === undefined) throw semantic(`The function ${name} returns nothing.`, span);
  return { scope: inner, result };
}

function declareParameter(
  session: Session,
  name: string,
  parameter: SyntaxNode,
  arg: SyntaxNode | undefined,
  inner: Scope,
  environment: Environment,
  span: Span,
  isTable: (node: SyntaxNode, scope: Scope) => boolean,
): void {
  const declaration = child(parameter, "NameAndType");
  const parameterName = nameOf(child(declaration, "Name"));
  const typeNode = child(declaration, "Type");
  if (kindOf(typeNode) === "SchemaTypeExpression") {
    if (arg === undefined) throw semantic(`${name}() misses the table '${parameterName}'.`, span);
    inner.declare(parameterName, { kind: "table", bind: () => session.table(arg, environment.scope) });
    return;
  }
  const preset = optional(parameter, "DefaultValue");
  if (arg !== undefined && isTable(arg, environment.scope)) {
    throw semantic(`${name}() wants a value for '${parameterName}', not a table.`, span);
  }
  let value: Expression | undefined;
  if (arg !== undefined) value = session.expression(arg, environment);
  else if (preset !== undefined) {
    value = session.expression(child(preset, "Value"), { scope: new Scope(), columns: [] });
  }
  if (value === undefined) throw semantic(`${name}() misses the argument '${parameterName}'.`, span);
  const type = typeNamed(tokenText(typeNode, "Type")) ?? "dynamic";
  inner.declare(parameterName, {
    kind: "scalar",
    value: type === "dynamic" && value.type !== "dynamic" ? cast(value, "dynamic") : cast(value, type),
  });
}

/** Runs a piece of a saved function; its offsets mean nothing in the user's text. */
export function insideSaved<T>(name: string, span: Span, bind: () => T): T {
  try {
    return bind();
  } catch (error) {
    if (error instanceof QueryRefusal)
      throw new QueryRefusal(error.code, `In the function ${name}: ${error.message}`, span);
    throw error;
  }
}
