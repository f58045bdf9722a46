// The part of OData's $filter that directory clients use:
//   displayName eq 'x' and mailNickname eq 'y'      startswith(displayName,'x')
//   servicePrincipalNames/any(c:c eq 'x')           or, not, parentheses
// Text compares without case, as the directory does.

import type { HoldfastError } from "../../lib/errors.ts";
import { directoryErrors } from "../errors.ts";

/** A field's value; undefined when the field cannot be filtered by. */
export type FieldReader<Item> = (item: Item, field: string) => string | readonly string[] | boolean | undefined;

export type Predicate<Item> = (item: Item) => boolean;

const longestFilter = 4096;
const deepest = 20;

const tokenPattern = /\s*(?:(?<string>'(?:[^']|'')*')|(?<word>[A-Za-z_][\w/]*)|(?<symbol>[(),:]))/y;

interface Token {
  readonly kind: "string" | "word" | "symbol";
  readonly text: string;
}

export function parseGraphFilter<Item>(text: string | undefined, read: FieldReader<Item>): Predicate<Item> {
  if (text === undefined || text.trim() === "") return () => true;
  if (text.length > longestFilter) throw unsupported(text, `it is longer than ${longestFilter} characters`);
  const tokens = tokenize(text);
  let at = 0;
  let depth = 0;

  const peek = (): Token | undefined => tokens[at];
  const isWord = (word: string): boolean => peek()?.kind === "word" && peek()?.text.toLowerCase() === word;
  const take = (kind: Token["kind"], wanted?: string): string => {
    const token = peek();
    if (token?.kind !== kind || (wanted !== undefined && token.text.toLowerCase() !== wanted)) {
      throw unsupported(
        text,
        `${wanted ?? `a ${kind}`} was expected${token === undefined ? " at its end" : `, not ${token.text}`}`,
      );
    }
    at += 1;
    return token.text;
  };

  const either = (): Predicate<Item> => {
    let left = both();
    while (isWord("or")) {
      at += 1;
      const [first, second] = [left, both()];
      left = (item) => first(item) || second(item);
    }
    return left;
  };
  const both = (): Predicate<Item> => {
    let left = one();
    while (isWord("and")) {
      at += 1;
      const [first, second] = [left, one()];
      left = (item) => first(item) && second(item);
    }
    return left;
  };
  const one = (): Predicate<Item> => {
    depth += 1;
    if (depth > deepest) throw unsupported(text, "it is nested too deeply");
    try {
      if (isWord("not")) {
        at += 1;
        const inner = one();
        return (item) => !inner(item);
      }
      if (peek()?.text === "(") {
        at += 1;
        const inner = either();
        take("symbol", ")");
        return inner;
      }
      return comparison();
    } finally {
      depth -= 1;
    }
  };
  const comparison = (): Predicate<Item> => {
    const name = take("word");
    if (name.toLowerCase() === "startswith") {
      take("symbol", "(");
      const field = take("word");
      take("symbol", ",");
      const prefix = literal(take("string"));
      take("symbol", ")");
      return (item) => texts(item, field).some((value) => value.startsWith(prefix));
    }
    if (name.toLowerCase().endsWith("/any")) {
      const field = name.slice(0, -"/any".length);
      take("symbol", "(");
      const variable = take("word").toLowerCase();
      take("symbol", ":");
      take("word", variable);
      take("word", "eq");
      const wanted = literal(take("string"));
      take("symbol", ")");
      return (item) => texts(item, field).includes(wanted);
    }
    const operator = take("word").toLowerCase();
    if (operator !== "eq" && operator !== "ne") throw unsupported(text, `the operator '${operator}' is not supported`);
    const wanted = isWord("true") || isWord("false") ? take("word").toLowerCase() : literal(take("string"));
    return (item) => texts(item, name).includes(wanted) === (operator === "eq");
  };
  const texts = (item: Item, field: string): string[] => {
    const value = read(item, field);
    if (value === undefined) throw unsupported(text, `the property '${field}' cannot be filtered by`);
    return (Array.isArray(value) ? value : [value]).map((one) => String(one).toLowerCase());
  };

  const predicate = either();
  if (at < tokens.length) throw unsupported(text, `'${tokens[at]?.text ?? ""}' was not expected`);
  return predicate;
}

function literal(quoted: string): string {
  return quoted.slice(1, -1).replaceAll("''", "'").toLowerCase();
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  tokenPattern.lastIndex = 0;
  while (tokenPattern.lastIndex < text.trimEnd().length) {
    const from = tokenPattern.lastIndex;
    const groups = tokenPattern.exec(text)?.groups;
    if (groups === undefined) throw unsupported(text, `position ${from} could not be read`);
    for (const kind of ["string", "word", "symbol"] as const) {
      const found = groups[kind];
      if (found !== undefined) tokens.push({ kind, text: found });
    }
  }
  return tokens;
}

function unsupported(text: string, why: string): HoldfastError {
  return directoryErrors.Request_UnsupportedQuery(
    `Unsupported or invalid query filter clause '${text.slice(0, 200)}': ${why}.`,
  );
}
