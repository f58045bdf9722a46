// What can be told of expressions without evaluating them: whether they can be read, and whether there are
// the functions that they call.

import { isObject, type Json } from "../../relaxed-json/json.ts";
import { builtInOf, parsed, userFunctionOf } from "./evaluate.ts";
import { isExpressionText } from "./parse-expression.ts";
import type { TemplateScope } from "./scope.ts";
import type { Expression } from "./syntax.ts";

export function checkSyntax(value: Json, scope: TemplateScope): void {
  if (typeof value === "string") {
    if (isExpressionText(value)) checkCalls(parsed(value), scope);
  } else if (Array.isArray(value)) for (const element of value) checkSyntax(element, scope);
  else if (isObject(value)) for (const member of Object.values(value)) checkSyntax(member, scope);
}

function checkCalls(expression: Expression, scope: TemplateScope): void {
  if (expression.kind === "literal") return;
  if (expression.kind !== "call") {
    checkCalls(expression.target, scope);
    if (expression.kind === "index") checkCalls(expression.index, scope);
    return;
  }
  if (expression.namespace !== undefined) userFunctionOf(expression, expression.namespace, scope);
  else builtInOf(expression);
  for (const argument of expression.args) checkCalls(argument, scope);
}
