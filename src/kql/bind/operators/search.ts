// search and find: rows in which some column holds a term.

import { QueryRefusal, semantic, unsupported } from "../../errors.ts";
import { call, columnOf, literal, type Column, type Expression } from "../../plan/expression.ts";
import {
  child,
  items,
  kindOf,
  nameOf,
  optional,
  parametersOf,
  spanOf,
  wordOf,
  type SyntaxNode,
} from "../../syntax/node.ts";
import { escapeRegex } from "../../values/escape-regex.ts";
import { cast } from "../casts.ts";
import { textOperand } from "../operators-scalar.ts";
import type { Scope } from "../scope.ts";
import type { Bound, Session } from "../session.ts";
import { filter, keep, project } from "../tables.ts";
import { sourcesOf, tableOf, unite, type Source } from "./union.ts";

export function bindSearch(session: Session, node: SyntaxNode, scope: Scope, input?: Bound): Bound {
  const kind = parametersOf(node).get("kind");
  const sensitive = kind !== undefined && wordOf(kind).toLowerCase() === "case_sensitive";
  const sources = searched(session, node, scope, input);
  const condition = child(node, "Condition");
  const found = sources.map(({ name, bound }): Source => {
    const predicate = searchCondition(session, condition, bound, scope, sensitive);
    return { name, bound: filter(bound, predicate) };
  });
  const single = found[0];
  if (found.length === 1 && single !== undefined) {
    const table = session.newColumn("$table", "string");
    const shown = [{ column: table, expression: literal("string", single.name) }, ...single.bound.columns.map(keep)];
    return project(single.bound, shown);
  }
  return unite(session, found, false, "$table");
}

function searched(session: Session, node: SyntaxNode, scope: Scope, input: Bound | undefined): Source[] {
  if (input !== undefined) return [{ name: "search_arg0", bound: input }];
  const clause = optional(node, "InClause");
  const sources =
    clause === undefined
      ? (session.databases[0]?.tables ?? []).map(({ name }): Source => ({ name, bound: tableOf(session, name) }))
      : items(clause, "Expressions").flatMap((entry, index) => sourcesOf(session, entry, scope, false, index));
  if (sources.length === 0) throw semantic("There is no table to search.", spanOf(node));
  return sources;
}

/** Bare texts mean "any column holds it"; the rest is an ordinary condition. */
function searchCondition(
  session: Session,
  node: SyntaxNode,
  bound: Bound,
  scope: Scope,
  sensitive: boolean,
): Expression {
  const kind = kindOf(node);
  const again = (inner: SyntaxNode): Expression => searchCondition(session, inner, bound, scope, sensitive);
  switch (kind) {
    case "ParenthesizedExpression":
      return again(child(node, "Expression"));
    case "AndExpression":
    case "OrExpression":
      return call(
        kind === "AndExpression" ? "and" : "or",
        [again(child(node, "Left")), again(child(node, "Right"))],
        "bool",
      );
    case "FunctionCallExpression": {
      const args = items(child(node, "ArgumentList"), "Expressions");
      const only = args[0];
      if (nameOf(child(node, "Name")) === "not" && only !== undefined) return call("not", [again(only)], "bool");
      break;
    }
    case "StarExpression":
      return literal("bool", true);
    case "StringLiteralExpression":
    case "CompoundStringLiteralExpression":
      return anywhere(String(node["LiteralValue"]), bound, sensitive);
    case "SearchExpression": {
      const left = child(node, "Left");
      const column = session.expression(left, { scope, columns: bound.columns });
      const term = session.expression(child(node, "Right"), { scope, columns: bound.columns });
      if (term.kind !== "literal") throw unsupported("A computed search term", spanOf(node));
      return termTest(column, String(term.value), sensitive);
    }
    default:
      break;
  }
  return cast(session.expression(node, { scope, columns: bound.columns }), "bool");
}

function anywhere(term: string, bound: Bound, sensitive: boolean): Expression {
  return bound.columns
    .map((column) => termTest(columnOf(column), term, sensitive))
    .reduce<Expression>((either, one) => call("or", [either, one], "bool"), literal("bool", false));
}

/** `lab*` is a prefix, `*lab` a suffix, `*lab*` any part, `lab*pc` whole words with anything between; otherwise a whole term. */
function termTest(value: Expression, term: string, sensitive: boolean): Expression {
  const cs = sensitive ? "Cs" : "";
  const test = (name: string, text: string): Expression =>
    call(`${name}${cs}`, [textOperand(value), literal("string", text)], "bool");
  if (term === "*") return literal("bool", true);
  const [starts, ends] = [term.endsWith("*"), term.startsWith("*")];
  const bare = term.replaceAll(/^\*|\*$/g, "");
  if (bare.includes("*")) {
    const pattern = bare.split("*").map(escapeRegex).join(".*");
    const bounded = `${sensitive ? "" : "(?i)"}${ends ? "" : String.raw`\b`}${pattern}${starts ? "" : String.raw`\b`}`;
    return call("matchesRegex", [textOperand(value), literal("string", bounded)], "bool");
  }
  if (starts && ends) return test("contains", bare);
  if (starts) return test("hasPrefix", bare);
  return ends ? test("hasSuffix", bare) : test("has", bare);
}

/** Tables in which the condition has no meaning, for want of a column, hold nothing that is looked for. */
export function bindFind(session: Session, node: SyntaxNode, scope: Scope, input?: Bound): Bound {
  const withSource = parametersOf(node).get("withsource");
  const refusals: QueryRefusal[] = [];
  const found = searched(session, node, scope, input).flatMap(({ name, bound }): Source[] => {
    try {
      const condition = searchCondition(session, child(node, "Condition"), bound, scope, false);
      return [{ name, bound: filter(bound, condition) }];
    } catch (error) {
      if (!(error instanceof QueryRefusal) || error.code !== "SemanticError") throw error;
      refusals.push(error);
      return [];
    }
  });
  if (found.length === 0) throw refusals[0] ?? semantic("There is no table to search.", spanOf(node));
  const source = withSource === undefined ? "source_" : wordOf(withSource);
  const clause = optional(node, "Project");
  return unite(
    session,
    clause === undefined ? smart(session, node, found) : chosen(session, clause, found),
    false,
    source,
  );
}

/** The columns of a project clause; `pack(*)` gathers the others in a bag. */
function chosen(session: Session, clause: SyntaxNode, sources: readonly Source[]): Source[] {
  const entries = items(clause, "Columns");
  const wanted = entries.flatMap((entry) => {
    const kind = kindOf(entry);
    return kind === "PackExpression" ? [] : [nameOf(kind === "TypedColumnReference" ? child(entry, "Column") : entry)];
  });
  const packs = entries.some((entry) => kindOf(entry) === "PackExpression");
  return sources.map(({ name, bound }) => ({ name, bound: shown(session, bound, wanted, packs) }));
}

/** Without a project clause: what the condition names and what all tables have; the rest in a bag. */
function smart(session: Session, node: SyntaxNode, sources: readonly Source[]): Source[] {
  const named = new Set<string>();
  const walk = (at: SyntaxNode): void => {
    if (kindOf(at) === "NameReference") named.add(nameOf(at));
    for (let index = 0; index < at.ChildCount; index += 1) {
      const inner = at.GetChild(index);
      if (inner !== null && inner.IsToken !== true) walk(inner);
    }
  };
  walk(child(node, "Condition"));
  const everywhere = (column: Column): boolean =>
    sources.every(({ bound }) => bound.columns.some(({ name, type }) => name === column.name && type === column.type));
  const wanted = sources.flatMap(({ bound }) =>
    bound.columns.filter((column) => named.has(column.name) || everywhere(column)).map(({ name }) => name),
  );
  const packs = sources.some(({ bound }) => bound.columns.some(({ name }) => !wanted.includes(name)));
  return sources.map(({ name, bound }) => ({ name, bound: shown(session, bound, wanted, packs) }));
}

function shown(session: Session, bound: Bound, wanted: readonly string[], packs: boolean): Bound {
  const kept = [...new Set(wanted)].flatMap((wish) => bound.columns.filter(({ name }) => name === wish).map(keep));
  if (!packs) return project(bound, kept);
  const others = bound.columns
    .filter(({ name }) => !wanted.includes(name))
    .flatMap((column) => [literal("string", column.name), columnOf(column)]);
  return project(bound, [
    ...kept,
    { column: session.newColumn("pack_", "dynamic"), expression: call("bag_pack", others, "dynamic") },
  ]);
}
