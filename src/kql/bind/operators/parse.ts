// parse, parse-where and parse-kv: columns out of texts.

import { semantic } from "../../errors.ts";
import { call, literal, type Expression } from "../../plan/expression.ts";
import type { Item } from "../../plan/relation.ts";
import {
  child,
  elements,
  items,
  kindOf,
  nameOf,
  optional,
  parametersOf,
  spanOf,
  tokenText,
  wordOf,
  type SyntaxNode,
} from "../../syntax/node.ts";
import { typeNamed, type ScalarType } from "../../types.ts";
import { cast } from "../casts.ts";
import { nullLiteral } from "../functions.ts";
import { textOperand } from "../operators-scalar.ts";
import type { Scope } from "../scope.ts";
import type { Bound, Session } from "../session.ts";
import { environmentOf, extend, filter } from "../tables.ts";

interface Wanted {
  readonly name: string;
  readonly type: ScalarType;
}

interface Pattern {
  readonly regex: string;
  readonly wanted: readonly Wanted[];
  readonly groups: readonly number[];
}

export function bindParse(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  return parse(session, node, input, scope, false);
}

export function bindParseWhere(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  return parse(session, node, input, scope, true);
}

function parse(session: Session, node: SyntaxNode, input: Bound, scope: Scope, only: boolean): Bound {
  const parameters = parametersOf(node);
  const kindNode = parameters.get("kind");
  const kind = kindNode === undefined ? "simple" : wordOf(kindNode).toLowerCase();
  if (only && kind === "relaxed") throw semantic("parse-where has no kind=relaxed.", spanOf(kindNode ?? node));
  const flagsNode = parameters.get("flags");
  const flags = flagsNode === undefined ? "" : wordOf(flagsNode);
  const source = textOperand(session.expression(child(node, "Expression"), environmentOf(input, scope)));
  // Columns are numbered among all groups of the pattern; those of the user's own regex count too.
  const pattern = patternOf(items(node, "Patterns"), kind, flags, node);
  const regex = literal("string", pattern.regex);
  const matches = call("captures", [source, regex], "bool");
  const typed = pattern.wanted.map(
    ({ name, type }, index): { readonly item: Item; readonly bad: Expression | undefined } => {
      const text = call(
        "capture",
        [source, regex, literal("long", BigInt(pattern.groups[index] ?? index + 1))],
        "string",
      );
      const value = type === "string" ? text : cast(text, type);
      const bad = type === "string" ? undefined : call("isnull", [value], "bool");
      return { item: { column: session.newColumn(name, type), expression: value }, bad };
    },
  );
  const failing = typed.flatMap(({ bad }) => bad ?? []);
  const whole = failing.reduce<Expression>(
    (all, bad) => call("and", [all, call("not", [bad], "bool")], "bool"),
    matches,
  );
  const strict = kind !== "relaxed" && failing.length > 0;
  const found = typed.map(({ item }) => {
    if (!strict) return item;
    const absent = nullLiteral(item.column.type);
    return { column: item.column, expression: call("iff", [whole, item.expression, absent], item.column.type) };
  });
  return extend(only ? filter(input, strict ? whole : matches) : input, found);
}

const numberPatterns: Partial<Record<ScalarType, string>> = {
  int: String.raw`\s*[-+]?\d+\s*`,
  long: String.raw`\s*[-+]?\d+\s*`,
  real: String.raw`\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*`,
  decimal: String.raw`\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*`,
};

/** In kind=regex a typed column takes what looks like its type, wherever it stands. */
const shapes: Partial<Record<ScalarType, string>> = {
  bool: "(?i:true|false)",
  int: String.raw`[-+]?\d+`,
  long: String.raw`[-+]?\d+`,
  real: String.raw`[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?`,
  decimal: String.raw`[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?`,
};

function patternOf(parts: readonly SyntaxNode[], kind: string, flags: string, node: SyntaxNode): Pattern {
  const wanted: Wanted[] = [];
  const pieces: string[] = [];
  const groups: number[] = [];
  let opened = 0;
  const isRegex = kind === "regex";
  parts.forEach((part, index) => {
    const last = index === parts.length - 1;
    const partKind = kindOf(part);
    if (partKind === "StarExpression") {
      pieces.push(last ? ".*" : ".*?");
    } else if (partKind === "StringLiteralExpression" || partKind === "CompoundStringLiteralExpression") {
      const text = String(part["LiteralValue"]);
      if (isRegex) opened += groupCount(text);
      pieces.push(isRegex ? text : text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
    } else {
      const column = wantedOf(part);
      wanted.push(column);
      opened += 1;
      groups.push(opened);
      const following = parts[index + 1];
      const beforeStar = following !== undefined && kindOf(following) === "StarExpression";
      const numeric = numberPatterns[column.type];
      if (isRegex) pieces.push(`(${shapes[column.type] ?? ".*"})`);
      else if (numeric !== undefined && beforeStar) pieces.push(kind === "simple" ? `(${numeric})` : `(${numeric}|)`);
      else pieces.push(last ? "(.*)" : "(.*?)");
    }
  });
  if (wanted.length === 0) throw semantic("parse names no column.", spanOf(node));
  const known = [...new Set(flags)].filter((flag) => "imsU".includes(flag)).join("");
  // A regular expression may stop anywhere; the other kinds go on to the end of the text.
  const regex = `${known === "" ? "" : `(?${known})`}^${pieces.join("")}${isRegex ? "" : "$"}`;
  return { regex, wanted, groups };
}

function groupCount(pattern: string): number {
  return [...pattern.matchAll(/\\.|\[(?:\\.|[^\]\\])*\]|\((?!\?)|\(\?P?<[A-Za-z]/g)].filter(([piece]) =>
    piece.startsWith("("),
  ).length;
}

function wantedOf(part: SyntaxNode): Wanted {
  if (kindOf(part) === "NameAndTypeDeclaration") {
    const type = typeNamed(tokenText(child(part, "Type"), "Type")) ?? "string";
    return { name: nameOf(child(part, "Name")), type };
  }
  return { name: nameOf(part), type: "string" };
}

export function bindParseKv(session: Session, node: SyntaxNode, input: Bound, scope: Scope): Bound {
  const source = textOperand(session.expression(child(node, "Expression"), environmentOf(input, scope)));
  const clause = optional(node, "WithClause");
  const settings: Record<string, string> = {};
  for (const [name, value] of clause === undefined ? [] : parametersOf(clause, "Properties")) {
    settings[name] =
      value["LiteralValue"] === undefined || value["LiteralValue"] === null
        ? wordOf(value)
        : String(value["LiteralValue"]);
  }
  const keys = elements(child(child(node, "Keys"), "Columns")).map(wantedOf);
  const options = literal("dynamic", JSON.stringify({ ...settings, keys: keys.map(({ name }) => name) }));
  const { regex } = settings;
  const found = keys.map(({ name, type }): Item => {
    const key = literal("string", name);
    const text =
      regex === undefined
        ? call("parse_kv", [source, options, key], "string")
        : call("parse_kv_regex", [source, literal("string", regex), key], "string");
    return { column: session.newColumn(name, type), expression: type === "string" ? text : cast(text, type) };
  });
  return extend(input, found);
}
