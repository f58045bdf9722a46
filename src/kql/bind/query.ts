// A whole query: statements, then pipes of operators.

import { QueryRefusal, semantic, unsupported, type Span } from "../errors.ts";
import type { Expression } from "../plan/expression.ts";
import type { Plan } from "../plan/relation.ts";
import { child, items, kindOf, nameOf, optional, spanOf, type SyntaxNode } from "../syntax/node.ts";
import type { DatabaseSchema } from "../types.ts";
import { declareLet, insideSaved, openFunction, savedFunction } from "./declarations.ts";
import { bindExpression } from "./expressions.ts";
import { bindMatchedPattern } from "./patterns.ts";
import { operators, leadingOperators } from "./operators/index.ts";
import { bindRender } from "./operators/render.ts";
import { Scope } from "./scope.ts";
import { createSession, type Bound, type KnownColumn, type NamedResult, type Session } from "./session.ts";
import { bindDataTable, bindNamedTable, bindQualified } from "./sources.ts";
import { refresh } from "./tables.ts";
import { isTabular } from "./tabular.ts";

export interface BindOptions {
  readonly databases: readonly DatabaseSchema[];
  readonly supported: ReadonlySet<string>;
  readonly knownSchemas: ReadonlyMap<string, readonly KnownColumn[]>;
  readonly parameters: ReadonlyMap<string, Expression>;
  readonly maxSteps: number;
}

export function bindQuery(statements: readonly SyntaxNode[], options: BindOptions): Plan {
  const session = createSession({
    ...options,
    table: bindTable,
    operator: bindOperator,
    expression: bindExpression,
    tableFunctionCall: bindTableFunction,
  });
  const scope = new Scope();
  for (const [name, value] of options.parameters) scope.declare(name, { kind: "scalar", value });
  const results: NamedResult[] = [];
  for (const statement of statements) bindStatement(session, statement, scope, results);
  const last = results.at(-1);
  if (last === undefined)
    throw new QueryRefusal("SemanticError", "The query has no tabular expression that gives a result.");
  return {
    tables: results.map(({ name, bound }, index) => ({
      name: index === 0 ? "PrimaryResult" : name || `Table_${index}`,
      relation: bound.relation,
      columns: bound.columns,
      order: bound.order,
    })),
    render: session.render,
  };
}

function bindStatement(session: Session, statement: SyntaxNode, scope: Scope, results: NamedResult[]): void {
  switch (kindOf(statement)) {
    case "LetStatement":
      declareLet(session, statement, scope, (node) => isTabular(session, node, scope));
      return;
    case "ExpressionStatement": {
      const expression = child(statement, "Expression");
      results.push({ name: "", bound: session.table(expression, scope) });
      results.push(...session.furtherResults.splice(0));
      return;
    }
    case "SetOptionStatement": {
      const clause = optional(statement, "ValueClause");
      if (clause === undefined) return;
      const value = session.expression(child(clause, "Expression"), { scope, columns: [] });
      session.options.set(nameOf(child(statement, "Name")), value);
      return;
    }
    case "QueryParametersStatement":
      declareParameters(session, statement, scope);
      return;
    case "PatternStatement":
      scope.declare(nameOf(child(statement, "Name")), {
        kind: "pattern",
        declaration: child(statement, "Pattern"),
        scope,
      });
      return;
    default:
      throw unsupported(kindOf(statement), spanOf(statement));
  }
}

/** `declare query_parameters(x:long = 1)`: values that the caller gave win over defaults. */
function declareParameters(session: Session, statement: SyntaxNode, scope: Scope): void {
  for (const parameter of items(statement, "Parameters")) {
    const name = nameOf(child(child(parameter, "NameAndType"), "Name"));
    if (scope.find(name) !== undefined) continue;
    const preset = optional(parameter, "DefaultValue");
    if (preset === undefined) throw semantic(`The query parameter '${name}' has no value.`, spanOf(parameter));
    scope.declare(name, {
      kind: "scalar",
      value: session.expression(child(preset, "Value"), { scope, columns: [] }),
    });
  }
}

function bindTable(session: Session, node: SyntaxNode, scope: Scope): Bound {
  session.step(spanOf(node));
  const kind = kindOf(node);
  const leading = leadingOperators[kind];
  if (leading !== undefined) return leading(session, node, scope);
  switch (kind) {
    case "PipeExpression":
      return bindPipe(session, node, scope);
    case "ParenthesizedExpression":
    case "MaterializeExpression":
    case "ToTableExpression":
    case "DataScopeExpression":
      return session.table(child(node, "Expression"), scope);
    case "NameReference":
      return bindNamedTable(session, node, scope);
    case "DataTableExpression":
      return bindDataTable(session, node, scope);
    case "FunctionCallExpression":
      return bindTableFunction(session, node, scope);
    case "PathExpression":
      return bindTablePath(session, node, scope);
    case "ExternalDataExpression":
      throw unsupported("externaldata (this engine reads nothing from outside)", spanOf(node));
    default:
      throw semantic("A table is expected here.", spanOf(node));
  }
}

function bindTablePath(session: Session, node: SyntaxNode, scope: Scope): Bound {
  const left = child(node, "Expression");
  if (kindOf(left) === "FunctionCallExpression" && scope.find(nameOf(child(left, "Name")))?.kind === "pattern") {
    return bindPatternCall(session, left, scope, nameOf(child(node, "Selector")));
  }
  return bindQualified(session, node, scope);
}

function bindPatternCall(session: Session, node: SyntaxNode, scope: Scope, path: string | undefined): Bound {
  const name = nameOf(child(node, "Name"));
  const binding = scope.find(name);
  if (binding?.kind !== "pattern") throw semantic(`There is no pattern '${name}'.`, spanOf(node));
  return bindMatchedPattern(
    session,
    binding,
    items(child(node, "ArgumentList"), "Expressions"),
    path,
    scope,
    spanOf(node),
  );
}

/** Pipes nest to the left; a loop keeps long ones from using up the stack. */
function bindPipe(session: Session, node: SyntaxNode, scope: Scope): Bound {
  const steps: SyntaxNode[] = [];
  let source = node;
  while (kindOf(source) === "PipeExpression") {
    steps.push(child(source, "Operator"));
    source = child(source, "Expression");
  }
  let bound = session.table(source, scope);
  for (const operator of steps.reverse()) bound = session.operator(operator, bound, scope);
  return bound;
}

function bindOperator(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  session.step(spanOf(node));
  const kind = kindOf(node);
  const bind = operators[kind];
  if (bind !== undefined) return bind(session, node, input, scope);
  if (kind === "RenderOperator") return bindRender(session, node, input);
  if (kind === "AsOperator") {
    scope.declare(nameOf(child(node, "Name")), { kind: "table", bind: () => refresh(session, input) });
    return input;
  }
  throw unsupported(`The operator ${operatorName(node)}`, spanOf(node));
}

function operatorName(node: SyntaxNode): string {
  const first = node.GetChild(0);
  return first?.Text ?? kindOf(node);
}

function bindTableFunction(session: Session, node: SyntaxNode, scope: Scope, piped?: Bound): Bound {
  const isName = kindOf(node) === "NameReference";
  const name = nameOf(isName ? node : child(node, "Name"));
  const args = isName ? [] : items(child(node, "ArgumentList"), "Expressions");
  const span: Span = spanOf(node);
  const local = scope.find(name);
  if (local?.kind === "pattern") return bindPatternCall(session, node, scope, undefined);
  if (local === undefined && (name === "table" || name === "materialized_view")) {
    return namedByText(session, args[0], scope, span);
  }
  const found = local ?? savedFunction(session, name);
  if (found?.kind === "table" && args.length === 0) return found.bind();
  if (found?.kind !== "function") throw semantic(`There is no table function '${name}'.`, span);
  const again = piped === undefined ? undefined : refresh(session, piped);
  const bind = (): Bound => {
    const opened = openFunction(
      session,
      name,
      found,
      args,
      { scope, columns: [] },
      span,
      (item, inner) => isTabular(session, item, inner),
      again,
    );
    return session.table(opened.result, opened.scope);
  };
  return local === undefined ? insideSaved(name, span, bind) : bind();
}

/** table("T") */
function namedByText(session: Session, arg: SyntaxNode | undefined, scope: Scope, span: Span): Bound {
  const name = arg === undefined ? undefined : session.expression(arg, { scope, columns: [] });
  if (name?.kind !== "literal" || typeof name.value !== "string") throw unsupported("A computed table name", span);
  const binding = scope.find(name.value);
  if (binding?.kind === "table") return binding.bind();
  const tables = session.databases[0]?.tables ?? [];
  if (!tables.some((table) => table.name === name.value)) throw semantic(`There is no table '${name.value}'.`, span);
  const columns = tables.find((table) => table.name === name.value)?.columns ?? [];
  const fresh = columns.map((column) => session.newColumn(column.name, column.type));
  const database = session.databases[0]?.name ?? "";
  return {
    relation: Object.freeze({ kind: "table", database, table: name.value, columns: fresh }),
    columns: fresh,
    order: [],
    partition: [],
  };
}
