// `$filter`: the part of OData that Azure's clients really send. Text -> tree -> predicate.
//   name eq 'a' and (tagName eq 'x' or startswith(name, 'y')) · atScope() · eventTimestamp ge 2026-01-01T00:00:00
// Comparisons of text ignore case, as ARM's do. An empty filter accepts everything.

import { armErrors } from "./errors.ts";

export type FilterValue = string | number | boolean | null;

export type Filter =
  | { readonly kind: "all" }
  | { readonly kind: "and" | "or"; readonly left: Filter; readonly right: Filter }
  | { readonly kind: "not"; readonly of: Filter }
  | {
      readonly kind: "compare";
      readonly field: string;
      readonly operator: CompareOperator;
      readonly value: FilterValue;
    }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly FilterArgument[] };

export type CompareOperator = "eq" | "ne" | "gt" | "ge" | "lt" | "le";
export type FilterArgument = { readonly field: string } | { readonly value: FilterValue };

const maxLength = 8192;
const maxDepth = 50;

export function parseFilter(text: string | undefined): Filter {
  if (text === undefined || text.trim() === "") return { kind: "all" };
  if (text.length > maxLength)
    throw invalid(text, `it is ${text.length} characters long; at most ${maxLength} are allowed`);
  const tokens = tokenize(text);
  const parser = { text, tokens, at: 0, depth: 0 };
  const filter = parseOr(parser);
  const left = tokens[parser.at];
  if (left !== undefined) throw invalid(text, `'${left.text}' at position ${left.position} was not expected`);
  return filter;
}

/** Turns a filter into a predicate. `readField` gives a field's value; `undefined` = no such field. */
export function filterPredicate<Row>(
  filter: Filter,
  readField: (row: Row, field: string) => FilterValue | undefined,
  call: (row: Row, name: string, args: readonly FilterArgument[]) => boolean | undefined = () => undefined,
): (row: Row) => boolean {
  const test = (row: Row, node: Filter): boolean => {
    switch (node.kind) {
      case "all":
        return true;
      case "and":
        return test(row, node.left) && test(row, node.right);
      case "or":
        return test(row, node.left) || test(row, node.right);
      case "not":
        return !test(row, node.of);
      case "compare":
        return compare(readField(row, node.field), node.operator, node.value);
      case "call":
        return call(row, node.name, node.args) ?? callText(node, (field) => readField(row, field));
    }
  };
  return (row) => test(row, filter);
}

/** The values that `field` must equal for the filter to hold: what may be pushed down to an index. */
export function requiredEquals(filter: Filter, field: string): FilterValue | undefined {
  if (filter.kind === "and") return requiredEquals(filter.left, field) ?? requiredEquals(filter.right, field);
  const isIt =
    filter.kind === "compare" && filter.operator === "eq" && filter.field.toLowerCase() === field.toLowerCase();
  return isIt ? filter.value : undefined;
}

/** Refuses a filter on fields or functions that a list does not have. */
export function allowOnly(filter: Filter, fields: readonly string[], calls: readonly string[] = []): void {
  const known = new Set([...fields, ...calls].map((name) => name.toLowerCase()));
  const visit = (node: Filter): void => {
    if (node.kind === "and" || node.kind === "or") {
      visit(node.left);
      visit(node.right);
    } else if (node.kind === "not") visit(node.of);
    else if (node.kind === "compare" || node.kind === "call") {
      const names = node.kind === "compare" ? [node.field] : [node.name];
      const unknown = names.find((name) => !known.has(name.toLowerCase()));
      if (unknown !== undefined) {
        throw armErrors.InvalidFilterInQueryString(
          `Invalid $filter '${unknown}' specified in the query string. Supported here: ${[...fields, ...calls].join(", ")}.`,
          { target: "$filter" },
        );
      }
    }
  };
  visit(filter);
}

function compare(actual: FilterValue | undefined, operator: CompareOperator, wanted: FilterValue): boolean {
  if (operator === "eq") return sameValue(actual, wanted);
  if (operator === "ne") return !sameValue(actual, wanted);
  if (actual === undefined || actual === null || wanted === null) return false;
  const order = orderOf(actual, wanted);
  return operator === "gt" ? order > 0 : operator === "ge" ? order >= 0 : operator === "lt" ? order < 0 : order <= 0;
}

function sameValue(actual: FilterValue | undefined, wanted: FilterValue): boolean {
  if (actual === undefined || actual === null || wanted === null) return (actual ?? null) === wanted;
  if (typeof actual === "number" && typeof wanted === "string")
    return actual === filterTime(wanted) || String(actual) === wanted;
  return String(actual).toLowerCase() === String(wanted).toLowerCase();
}

/** Numbers (times are milliseconds) by size, text by the alphabet, case ignored. */
function orderOf(actual: FilterValue, wanted: FilterValue): number {
  if (typeof actual === "number") {
    const number = typeof wanted === "number" ? wanted : (filterTime(String(wanted)) ?? Number(wanted));
    return actual - number;
  }
  const [left, right] = [String(actual).toLowerCase(), String(wanted).toLowerCase()];
  return left < right ? -1 : left > right ? 1 : 0;
}

/**
 * A time as clients write it in filters: ISO 8601 with or without zone (UTC), or Azure Backup's
 * `2026-01-31 12:00:00 AM`. Milliseconds, or undefined when it is none.
 */
export function filterTime(text: string): number | undefined {
  const twelve = /^(\d{4})-(\d{2})-(\d{2})[ T](\d{1,2}):(\d{2})(?::(\d{2}))? ?(AM|PM)$/i.exec(text.trim());
  if (twelve !== null) {
    const [, year, month, day, hour, minute, second, half] = twelve;
    const hours = (Number(hour) % 12) + (half?.toUpperCase() === "PM" ? 12 : 0);
    return Date.UTC(Number(year), Number(month) - 1, Number(day), hours, Number(minute), Number(second ?? 0));
  }
  const iso = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/i.exec(text.trim());
  if (iso === null) return undefined;
  const zoned = iso[4] !== undefined || iso[1] === undefined ? text.trim() : `${text.trim()}Z`;
  const milliseconds = Date.parse(zoned.replace(" ", "T").replace(/(\.\d{3})\d+/, "$1"));
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}

function callText(node: Filter & { kind: "call" }, readField: (field: string) => FilterValue | undefined): boolean {
  const [first, second] = node.args.map((argument) =>
    String(("field" in argument ? readField(argument.field) : argument.value) ?? "").toLowerCase(),
  );
  if (first === undefined || second === undefined) return false;
  switch (node.name.toLowerCase()) {
    case "startswith":
      return first.startsWith(second);
    case "endswith":
      return first.endsWith(second);
    case "contains":
      return first.includes(second);
    case "substringof":
      return second.includes(first);
    default:
      return false;
  }
}

interface Token {
  readonly kind: "word" | "string" | "number" | "symbol" | "time";
  readonly text: string;
  readonly position: number;
}

interface Parser {
  readonly text: string;
  readonly tokens: readonly Token[];
  at: number;
  depth: number;
}

const tokenPattern =
  /\s*(?:(?<time>\d{4}-\d{2}-\d{2}[T ][\d:.]+(?:Z|[+-]\d{2}:?\d{2})?)|(?<string>'(?:[^']|'')*')|(?<number>-?\d+(?:\.\d+)?(?![\w-]))|(?<word>[A-Za-z0-9_@$][\w./@$:-]*)|(?<symbol>[(),]))/y;

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  tokenPattern.lastIndex = 0;
  while (text.slice(tokenPattern.lastIndex).trim() !== "") {
    const position = tokenPattern.lastIndex;
    const match = tokenPattern.exec(text);
    if (match?.groups === undefined)
      throw invalid(text, `'${text.slice(position).trim().slice(0, 20)}' at position ${position} could not be read`);
    const [kind, value] = Object.entries(match.groups).find(([, group]) => group !== undefined) ?? ["symbol", ""];
    const body = kind === "string" ? value.slice(1, -1).replaceAll("''", "'") : value;
    tokens.push({ kind: kind as Token["kind"], text: body, position });
  }
  return tokens;
}

function parseOr(parser: Parser): Filter {
  let left = parseAnd(parser);
  while (takeWord(parser, "or")) left = { kind: "or", left, right: parseAnd(parser) };
  return left;
}

function parseAnd(parser: Parser): Filter {
  let left = parseUnary(parser);
  while (takeWord(parser, "and")) left = { kind: "and", left, right: parseUnary(parser) };
  return left;
}

function parseUnary(parser: Parser): Filter {
  parser.depth += 1;
  if (parser.depth > maxDepth) throw invalid(parser.text, `it is nested deeper than ${maxDepth}`);
  try {
    if (takeWord(parser, "not")) return { kind: "not", of: parseUnary(parser) };
    if (takeSymbol(parser, "(")) {
      const inner = parseOr(parser);
      expectSymbol(parser, ")");
      return inner;
    }
    return parseComparison(parser);
  } finally {
    parser.depth -= 1;
  }
}

function parseComparison(parser: Parser): Filter {
  const name = next(parser, "a field or function");
  if (name.kind !== "word")
    throw invalid(parser.text, `a field or function was expected at position ${name.position}, not '${name.text}'`);
  if (takeSymbol(parser, "(")) {
    const call: Filter = { kind: "call", name: name.text, args: parseArguments(parser) };
    // OData lets one write `startswith(name,'x') eq true`.
    if (takeWord(parser, "eq")) return String(parseValue(parser)) === "false" ? { kind: "not", of: call } : call;
    return call;
  }
  const operator = next(parser, "a comparison");
  const found = (["eq", "ne", "gt", "ge", "lt", "le"] as const).find(
    (candidate) => candidate === operator.text.toLowerCase(),
  );
  if (found === undefined)
    throw invalid(
      parser.text,
      `'${operator.text}' at position ${operator.position} is no comparison; use eq, ne, gt, ge, lt or le`,
    );
  return { kind: "compare", field: name.text, operator: found, value: parseValue(parser) };
}

function parseArguments(parser: Parser): FilterArgument[] {
  const args: FilterArgument[] = [];
  if (takeSymbol(parser, ")")) return args;
  do {
    const token = next(parser, "an argument");
    args.push(
      token.kind === "word" && !/^(true|false|null)$/i.test(token.text)
        ? { field: token.text }
        : { value: valueOf(parser, token) },
    );
  } while (takeSymbol(parser, ","));
  expectSymbol(parser, ")");
  return args;
}

function parseValue(parser: Parser): FilterValue {
  return valueOf(parser, next(parser, "a value"));
}

function valueOf(parser: Parser, token: Token): FilterValue {
  if (token.kind === "string" || token.kind === "time") return token.text;
  if (token.kind === "number") return Number(token.text);
  const word = token.text.toLowerCase();
  if (word === "true" || word === "false") return word === "true";
  if (word === "null") return null;
  if (token.kind === "word") return token.text; // a bare GUID, as some clients send it
  throw invalid(parser.text, `a value was expected at position ${token.position}, not '${token.text}'`);
}

function next(parser: Parser, wanted: string): Token {
  const token = parser.tokens[parser.at];
  if (token === undefined) throw invalid(parser.text, `it ends where ${wanted} was expected`);
  parser.at += 1;
  return token;
}

function takeWord(parser: Parser, word: string): boolean {
  const token = parser.tokens[parser.at];
  const isIt = token?.kind === "word" && token.text.toLowerCase() === word;
  if (isIt) parser.at += 1;
  return isIt;
}

function takeSymbol(parser: Parser, symbol: string): boolean {
  const token = parser.tokens[parser.at];
  const isIt = token?.kind === "symbol" && token.text === symbol;
  if (isIt) parser.at += 1;
  return isIt;
}

function expectSymbol(parser: Parser, symbol: string): void {
  if (!takeSymbol(parser, symbol)) throw invalid(parser.text, `'${symbol}' is missing`);
}

function invalid(text: string, why: string): Error {
  return armErrors.InvalidFilterInQueryString(
    `Invalid $filter '${text.slice(0, 200)}' specified in the query string: ${why}.`,
    {
      target: "$filter",
    },
  );
}
