// The syntax tree as the binder reads it: a kind, a span, named children, lists and tokens.

import type { Span } from "../errors.ts";
import { enumName, type KustoObject } from "./kusto.ts";

/** A node or token of Microsoft's tree. */
export type SyntaxNode = KustoObject & {
  readonly Kind: number;
  readonly ChildCount: number;
  readonly TextStart: number;
  readonly Width: number;
  readonly IsToken?: boolean;
  readonly Text?: string;
  GetChild(index: number): SyntaxNode | null;
};

const kindNames = new Map<number, string>();

export function kindOf(node: SyntaxNode): string {
  const known = kindNames.get(node.Kind);
  if (known !== undefined) return known;
  const name = enumName("SyntaxKind", node.Kind);
  kindNames.set(node.Kind, name);
  return name;
}

export function spanOf(node: SyntaxNode): Span {
  return { start: node.TextStart, length: node.Width };
}

/** A named child that may be absent. */
export function optional(node: SyntaxNode, member: string): SyntaxNode | undefined {
  return (node[member] as SyntaxNode | null | undefined) ?? undefined;
}

/** A named child that the grammar promises. */
export function child(node: SyntaxNode, member: string): SyntaxNode {
  const found = optional(node, member);
  if (found === undefined) throw new Error(`${kindOf(node)} has no ${member}`);
  return found;
}

/** The elements of a named list, without separators; empty when the list is absent. */
export function items(node: SyntaxNode, member: string): SyntaxNode[] {
  const list = optional(node, member);
  return list === undefined ? [] : elements(list);
}

export function elements(list: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let index = 0; index < list.ChildCount; index += 1) {
    const element = list.GetChild(index);
    if (element === null || element.IsToken === true) continue;
    found.push(kindOf(element) === "SeparatedElement" ? child(element, "Element$1") : element);
  }
  return found;
}

/** The text of a named token, "" when it is absent. */
export function tokenText(node: SyntaxNode, member: string): string {
  const token = optional(node, member);
  return token?.Text ?? "";
}

/** The name that a declaration or reference carries. */
export function nameOf(node: SyntaxNode): string {
  return node["SimpleName"] as string;
}

/** `name=value` parameters of an operator, by lower-case name. */
export function parametersOf(node: SyntaxNode, member = "Parameters"): Map<string, SyntaxNode> {
  const found = new Map<string, SyntaxNode>();
  for (const parameter of items(node, member)) {
    found.set(nameOf(child(parameter, "Name")).toLowerCase(), child(parameter, "Expression"));
  }
  return found;
}

/** Literal text, names and keywords of a parameter value as they were written. */
export function wordOf(node: SyntaxNode): string {
  if (node["SimpleName"] !== undefined) return nameOf(node);
  const token = optional(node, "Token");
  return token?.Text ?? node.Text ?? "";
}
