// Whether a piece of syntax is a table or a value: names and calls may be either.

import { child, items, kindOf, nameOf, optional, type SyntaxNode } from "../syntax/node.ts";
import { savedFunction } from "./declarations.ts";
import type { FunctionBinding, Scope } from "./scope.ts";
import type { Session } from "./session.ts";

const tableKinds = new Set([
  "PipeExpression",
  "DataTableExpression",
  "ExternalDataExpression",
  "ContextualDataTableExpression",
  "ToTableExpression",
  "PrintOperator",
  "RangeOperator",
  "UnionOperator",
  "SearchOperator",
  "FindOperator",
  "EvaluateOperator",
  "DataScopeExpression",
]);

const databaseFunctions = new Set(["database", "workspace", "app", "cluster"]);
const tableFunctions = new Set(["table", "materialized_view", "external_table", "stored_query_result"]);

export function isTabular(session: Session, node: SyntaxNode, scope: Scope): boolean {
  const kind = kindOf(node);
  if (tableKinds.has(kind)) return true;
  if (kind === "ParenthesizedExpression" || kind === "MaterializeExpression") {
    return isTabular(session, child(node, "Expression"), scope);
  }
  if (kind === "NameReference") {
    const binding = scope.find(nameOf(node));
    if (binding?.kind === "function") return functionIsTabular(session, binding);
    if (binding !== undefined) return binding.kind === "table";
    return isDatabaseTable(session, nameOf(node));
  }
  if (kind === "PathExpression") return isDatabasePath(child(node, "Expression"));
  if (kind !== "FunctionCallExpression") return false;
  const name = nameOf(child(node, "Name"));
  const binding = scope.find(name) ?? savedFunction(session, name);
  if (binding?.kind === "function") return functionIsTabular(session, binding);
  return binding?.kind === "pattern" || tableFunctions.has(name);
}

export function isDatabasePath(node: SyntaxNode): boolean {
  const kind = kindOf(node);
  if (kind === "PathExpression") return isDatabasePath(child(node, "Expression"));
  return kind === "FunctionCallExpression" && databaseFunctions.has(nameOf(child(node, "Name")));
}

function isDatabaseTable(session: Session, name: string): boolean {
  return session.databases[0]?.tables.some((table) => table.name === name) === true;
}

function functionIsTabular(session: Session, binding: FunctionBinding): boolean {
  const last = optional(binding.body, "Expression");
  return last !== undefined && resultIsTabular(session, binding, last);
}

function resultIsTabular(session: Session, binding: FunctionBinding, node: SyntaxNode): boolean {
  if (kindOf(node) === "NameReference") {
    const name = nameOf(node);
    for (const statement of items(binding.body, "Statements")) {
      if (kindOf(statement) === "LetStatement" && nameOf(child(statement, "Name")) === name) {
        return resultIsTabular(session, binding, child(statement, "Expression"));
      }
    }
    for (const parameter of binding.parameters) {
      const declaration = child(parameter, "NameAndType");
      if (nameOf(child(declaration, "Name")) === name)
        return kindOf(child(declaration, "Type")) === "SchemaTypeExpression";
    }
  }
  return isTabular(session, node, binding.scope);
}
