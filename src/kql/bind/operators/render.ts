// `render` changes no row: it tells whoever draws the result how.

import type { RenderRequest } from "../../plan/relation.ts";
import { child, items, kindOf, nameOf, optional, tokenText, wordOf, type SyntaxNode } from "../../syntax/node.ts";
import type { Bound, Session } from "../session.ts";

export function bindRender(session: Session, node: SyntaxNode, input: Bound): Bound {
  const clause = optional(node, "WithClause");
  const parameters = [...items(node, "Parameters"), ...(clause === undefined ? [] : items(clause, "Properties"))];
  const properties = parameters.map((parameter) => [
    nameOf(child(parameter, "Name")).toLowerCase(),
    propertyOf(child(parameter, "Expression")),
  ]);
  session.render = {
    visualization: tokenText(node, "ChartType"),
    properties: Object.fromEntries(properties) as RenderRequest["properties"],
    // Rows of print and datatable keep their places by a column of our own.
    isSorted: input.columns.some(({ id }) => id === input.order[0]?.column.id),
  };
  return input;
}

function propertyOf(value: SyntaxNode): string | readonly string[] {
  if (kindOf(value) === "NameReferenceList") return items(value, "Names").map(nameOf);
  const literal = value["LiteralValue"];
  if (literal === null || literal === undefined) return wordOf(value);
  return typeof literal === "string" ? literal : String(literal).toLowerCase();
}
