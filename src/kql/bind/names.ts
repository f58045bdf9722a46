// How result columns get their names when the query gives none, and what a mistyped name may mean.

import { aggregateInfos, functionInfos, type FunctionInfo } from "../syntax/signatures.ts";
import { child, items, kindOf, nameOf, tokenText, type SyntaxNode } from "../syntax/node.ts";

/** The name that an expression suggests for its column, if any. */
export function suggestedName(node: SyntaxNode): string | undefined {
  switch (kindOf(node)) {
    case "SimpleNamedExpression":
      return nameOf(child(node, "Name"));
    case "NameReference":
      return nameOf(node);
    case "ParenthesizedExpression":
      return suggestedName(child(node, "Expression"));
    case "PathExpression":
      return joined(suggestedName(child(node, "Expression")), suggestedName(child(node, "Selector")));
    case "ElementExpression":
      return joined(suggestedName(child(node, "Expression")), selectorName(child(node, "Selector")));
    case "FunctionCallExpression":
      return functionResultName(node);
    default:
      return undefined;
  }
}

function joined(left: string | undefined, right: string | undefined): string | undefined {
  return left === undefined || right === undefined ? left : `${left}_${right}`;
}

function selectorName(selector: SyntaxNode): string | undefined {
  const inner = kindOf(selector) === "BracketedExpression" ? child(selector, "Expression") : selector;
  if (kindOf(inner) === "StringLiteralExpression") return String(inner["LiteralValue"]);
  if (kindOf(inner) === "LongLiteralExpression") return tokenText(inner, "Token");
  return undefined;
}

/** The language service names these after their argument; the engine does not. */
const unnamed = new Set(["pow", "exp10"]);

function functionResultName(node: SyntaxNode): string | undefined {
  const name = nameOf(child(node, "Name"));
  const info: FunctionInfo | undefined = aggregateInfos.get(name) ?? functionInfos.get(name);
  if (info === undefined || unnamed.has(name)) return undefined;
  const args = items(child(node, "ArgumentList"), "Expressions");
  const first = args[0] === undefined ? undefined : suggestedName(args[0]);
  const second = args[1] === undefined ? undefined : suggestedName(args[1]);
  if (name === "percentiles_array" || name === "percentilesw_array") return `percentiles_${first ?? ""}`;
  if (name.startsWith("covariance")) return `${name}_${first ?? ""}_${second ?? ""}`;
  switch (info.resultName) {
    case "FirstArgument":
    case "OnlyArgument":
      return first;
    case "NameAndFirstArgument":
      return `${name}_${first ?? ""}`;
    case "PrefixAndFirstArgument":
      return `${info.resultPrefix}_${first ?? ""}`;
    case "PrefixOnly":
      return info.resultPrefix;
    case "FirstArgumentValueIfColumn":
      return args[0] === undefined ? undefined : String(args[0]["LiteralValue"]);
    default:
      return undefined;
  }
}

/** Hands out names that are not taken yet: `x`, `x1`, `x2`. */
export class UniqueNames {
  readonly #taken: Set<string>;

  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken);
  }

  take(wanted: string): string {
    let name = wanted;
    for (let number = 1; this.#taken.has(name); number += 1) name = `${wanted}${number}`;
    this.#taken.add(name);
    return name;
  }
}

/** Turns a name with `*` into a test. */
export function wildcard(pattern: string): (name: string) => boolean {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const expression = new RegExp(`^${parts.join(".*")}$`);
  return (name) => expression.test(name);
}

/** ` Did you mean 'Heartbeat'?`, or nothing when no name is near. */
export function didYouMean(wrong: string, known: Iterable<string>): string {
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of known) {
    const distance = editDistance(wrong.toLowerCase(), name.toLowerCase());
    if (distance <= Math.max(2, wrong.length / 3) && distance < (best?.distance ?? Number.POSITIVE_INFINITY)) {
      best = { name, distance };
    }
  }
  return best === undefined ? "" : ` Did you mean '${best.name}'?`;
}

function editDistance(left: string, right: string): number {
  if (Math.abs(left.length - right.length) > 8) return 99;
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const change = (previous[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1);
      current.push(Math.min(change, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[right.length] ?? 99;
}
