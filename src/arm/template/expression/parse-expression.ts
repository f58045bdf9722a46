// Strings of a template: literal, escaped (`[[`) or an expression between brackets.

import { ExpressionError } from "./expression-error.ts";
import type { CallExpression, Expression } from "./syntax.ts";
import { shorten, type Token, type TokenKind, tokenize } from "./tokenize.ts";

/** Azure's limit of one expression. */
const maxExpressionCharacters = 24_576;
const maxNesting = 100;

export function isExpressionText(text: string): boolean {
  return text.startsWith("[") && text.endsWith("]") && !text.startsWith("[[");
}

/** What a string that is no expression means: `[[x]` stands for `[x]`. */
export function unescapeLiteral(text: string): string {
  return text.startsWith("[[") && text.endsWith("]") ? text.slice(1) : text;
}

/** Reads `[…]`, brackets included. */
export function parseExpression(bracketed: string): Expression {
  if (bracketed.length > maxExpressionCharacters) {
    throw new ExpressionError(
      `The language expression length limit exceeded. Limit: '${maxExpressionCharacters}' and actual: '${bracketed.length}'.`,
    );
  }
  const text = bracketed.slice(1, -1);
  const reader: Reader = { text, tokens: tokenize(text), next: 0, depth: 0 };
  const expression = readExpression(reader);
  expect(reader, "end");
  return expression;
}

interface Reader {
  readonly text: string;
  readonly tokens: readonly Token[];
  next: number;
  depth: number;
}

function readExpression(reader: Reader): Expression {
  reader.depth += 1;
  if (reader.depth > maxNesting) throw fail(reader, `nested deeper than ${maxNesting} levels`, peek(reader).at);
  let expression = readPrimary(reader);
  for (let suffixes = 0; ; suffixes += 1) {
    const token = peek(reader);
    if (suffixes > maxNesting) throw fail(reader, `more than ${maxNesting} property accesses in a row`, token.at);
    if (token.kind === ".") {
      reader.next += 1;
      const name = expect(reader, "identifier");
      expression = { kind: "property", target: expression, name: name.text, at: token.at };
    } else if (token.kind === "[") {
      reader.next += 1;
      const index = readExpression(reader);
      expect(reader, "]");
      expression = { kind: "index", target: expression, index, at: token.at };
    } else break;
  }
  reader.depth -= 1;
  return expression;
}

function readPrimary(reader: Reader): Expression {
  const token = peek(reader);
  reader.next += 1;
  if (token.kind === "string") {
    return { kind: "literal", value: token.text.slice(1, -1).replaceAll("''", "'"), at: token.at };
  }
  if (token.kind === "integer") {
    const value = Number(token.text);
    if (!Number.isSafeInteger(value)) throw fail(reader, `the number '${shorten(token.text)}' is too large`, token.at);
    return { kind: "literal", value, at: token.at };
  }
  if (token.kind === "identifier") return readCall(reader, token);
  throw fail(reader, `expected token 'Identifier' and actual '${describe(token)}'`, token.at);
}

function readCall(reader: Reader, first: Token): CallExpression {
  let name = first.text;
  let namespace: string | undefined;
  if (peek(reader).kind === ".") {
    reader.next += 1;
    namespace = name;
    name = expect(reader, "identifier").text;
  }
  expect(reader, "(");
  const args: Expression[] = [];
  if (peek(reader).kind !== ")") {
    args.push(readExpression(reader));
    while (peek(reader).kind === ",") {
      reader.next += 1;
      args.push(readExpression(reader));
    }
  }
  expect(reader, ")");
  return { kind: "call", namespace, name, args, at: first.at };
}

function peek(reader: Reader): Token {
  return reader.tokens[reader.next] ?? { kind: "end", text: "", at: reader.text.length };
}

const tokenNames: Readonly<Record<TokenKind, string>> = {
  identifier: "Identifier",
  integer: "Integer",
  string: "LiteralString",
  end: "EndOfData",
  "(": "LeftParenthesis",
  ")": "RightParenthesis",
  "[": "LeftSquareBracket",
  "]": "RightSquareBracket",
  ",": "Comma",
  ".": "Dot",
};

function describe(token: Token): string {
  return tokenNames[token.kind];
}

function expect(reader: Reader, kind: TokenKind): Token {
  const token = peek(reader);
  if (token.kind !== kind) {
    throw fail(reader, `expected token '${tokenNames[kind]}' and actual '${describe(token)}'`, token.at);
  }
  reader.next += 1;
  return token;
}

function fail(reader: Reader, what: string, at: number): ExpressionError {
  return new ExpressionError(
    `Unable to parse language expression '${shorten(reader.text)}': ${what} at position '${at}'. ` +
      `Please see https://aka.ms/arm-syntax-expressions for usage details.`,
  );
}
