import { ExpressionError } from "./expression-error.ts";

export type TokenKind = "identifier" | "integer" | "string" | "end" | "(" | ")" | "[" | "]" | "," | ".";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly at: number;
}

const shapes: ReadonlyArray<readonly [TokenKind, RegExp]> = [
  ["identifier", /[A-Za-z_$][\w$]*/y],
  ["integer", /[+-]?[0-9]+/y],
  ["string", /'(?:[^']|'')*'/y],
];

/** The tokens of the text between the brackets; the last one is `end`. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let offset = 0;
  while (offset < text.length) {
    if (/\s/.test(text[offset] ?? "")) offset += 1;
    else {
      const token = readToken(text, offset);
      tokens.push(token);
      offset += token.text.length;
    }
  }
  tokens.push({ kind: "end", text: "", at: text.length });
  return tokens;
}

function readToken(text: string, at: number): Token {
  for (const [kind, shape] of shapes) {
    shape.lastIndex = at;
    const match = shape.exec(text);
    if (match !== null) return { kind, text: match[0], at };
  }
  const character = text[at] ?? "";
  if ("()[],.".includes(character)) return { kind: character as TokenKind, text: character, at };
  const what = character === "'" ? "the string that begins here does not end" : `unexpected character '${character}'`;
  throw new ExpressionError(`Unable to parse language expression '${shorten(text)}': ${what} at position '${at}'.`);
}

export function shorten(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}...` : text;
}
