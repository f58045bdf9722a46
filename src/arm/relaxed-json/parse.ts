// JSON as az sends it: a template file spliced into a body under an unquoted key. Beyond JSON this
// takes // and /* */ comments, unquoted and single-quoted keys, trailing commas, byte order marks
// and strings over several lines. Valid JSON gives what JSON.parse gives. The parser throws nothing
// but InvalidRequestContent, in time proportional to the text.

import { defineErrors } from "../../lib/errors.ts";
import { type Json, type JsonObject, newObject } from "./json.ts";
import { type PositionRecorder, recordPositions, type SourcePositions } from "./positions.ts";

export const relaxedJsonErrors = defineErrors({ InvalidRequestContent: { status: 400 } });

export interface RelaxedJsonLimits {
  readonly maxCharacters: number;
  readonly maxDepth: number;
  /** Members of objects and elements of arrays, all together. */
  readonly maxMembers: number;
}

export const defaultLimits: RelaxedJsonLimits = {
  maxCharacters: 8 * 1024 * 1024,
  maxDepth: 100,
  maxMembers: 500_000,
};

export interface RelaxedJson {
  readonly value: Json;
  readonly positions: SourcePositions;
}

interface Reader {
  readonly text: string;
  readonly limits: RelaxedJsonLimits;
  readonly positions: PositionRecorder;
  offset: number;
  members: number;
}

export function parseRelaxedJson(text: string, limits: RelaxedJsonLimits = defaultLimits): RelaxedJson {
  const reader: Reader = { text, limits, positions: recordPositions(text), offset: 0, members: 0 };
  if (text.length > limits.maxCharacters) {
    throw fail(reader, `the text has ${text.length} characters, the limit is ${limits.maxCharacters}`);
  }
  const value = readValue(reader, 0);
  skipSpace(reader);
  if (reader.offset < text.length) throw fail(reader, `unexpected ${shown(reader)} after the value`);
  return { value, positions: reader.positions };
}

function readValue(reader: Reader, depth: number): Json {
  skipSpace(reader);
  const first = reader.text[reader.offset];
  if (first === "{") return readObject(reader, depth + 1);
  if (first === "[") return readArray(reader, depth + 1);
  if (first === '"' || first === "'") return readString(reader, first);
  if (first !== undefined && (first === "-" || (first >= "0" && first <= "9"))) return readNumber(reader);
  return readWord(reader);
}

function readObject(reader: Reader, depth: number): JsonObject {
  const object = newObject();
  open(reader, object, depth);
  for (;;) {
    skipSpace(reader);
    if (take(reader, "}")) return object;
    countMember(reader);
    const name = readName(reader);
    skipSpace(reader);
    if (!take(reader, ":"))
      throw fail(reader, `expected ':' after the name '${name.slice(0, 80)}', found ${shown(reader)}`);
    skipSpace(reader);
    reader.positions.member(object, name, reader.offset);
    object[name] = readValue(reader, depth);
    skipSpace(reader);
    if (take(reader, ",")) continue;
    if (take(reader, "}")) return object;
    throw fail(reader, `expected ',' or '}', found ${shown(reader)}`);
  }
}

function readArray(reader: Reader, depth: number): Json[] {
  const array: Json[] = [];
  open(reader, array, depth);
  for (;;) {
    skipSpace(reader);
    if (take(reader, "]")) return array;
    countMember(reader);
    reader.positions.member(array, array.length, reader.offset);
    array.push(readValue(reader, depth));
    skipSpace(reader);
    if (take(reader, ",")) continue;
    if (take(reader, "]")) return array;
    throw fail(reader, `expected ',' or ']', found ${shown(reader)}`);
  }
}

function open(reader: Reader, container: object, depth: number): void {
  if (depth > reader.limits.maxDepth) throw fail(reader, `nested deeper than ${reader.limits.maxDepth} levels`);
  reader.positions.open(container, reader.offset);
  reader.offset += 1;
}

function countMember(reader: Reader): void {
  reader.members += 1;
  if (reader.members > reader.limits.maxMembers) {
    throw fail(reader, `more than ${reader.limits.maxMembers} members and elements`);
  }
}

const unquotedName = /[\p{L}\p{N}_$][\p{L}\p{N}_$.-]*/uy;

function readName(reader: Reader): string {
  const first = reader.text[reader.offset];
  if (first === '"' || first === "'") return readString(reader, first);
  unquotedName.lastIndex = reader.offset;
  const match = unquotedName.exec(reader.text);
  if (match === null) throw fail(reader, `expected a name or '}', found ${shown(reader)}`);
  reader.offset += match[0].length;
  return match[0];
}

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

const plainRuns = { '"': /[^"\\]*/y, "'": /[^'\\]*/y } as const;

function readString(reader: Reader, quote: '"' | "'"): string {
  const start = reader.offset;
  reader.offset += 1;
  let content = "";
  for (;;) {
    const run = plainRuns[quote];
    run.lastIndex = reader.offset;
    const plain = run.exec(reader.text)?.[0] ?? "";
    content += plain;
    reader.offset += plain.length;
    if (take(reader, quote)) return content;
    if (reader.offset >= reader.text.length) {
      reader.offset = start;
      throw fail(reader, "the string that begins here does not end");
    }
    content += readEscape(reader);
  }
}

function readEscape(reader: Reader): string {
  const letter = reader.text[reader.offset + 1] ?? "";
  if (letter === "u") {
    const digits = reader.text.slice(reader.offset + 2, reader.offset + 6);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw fail(reader, String.raw`expected four hexadecimal digits after \u`);
    reader.offset += 6;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }
  const escaped = escapes[letter];
  if (escaped === undefined) throw fail(reader, `unknown escape '\\${letter}'`);
  reader.offset += 2;
  return escaped;
}

const numberShape = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;

function readNumber(reader: Reader): number {
  numberShape.lastIndex = reader.offset;
  const match = numberShape.exec(reader.text);
  const next = match === null ? undefined : reader.text[reader.offset + match[0].length];
  if (match === null || (next !== undefined && /[\w.]/.test(next)))
    throw fail(reader, `malformed number at ${shown(reader)}`);
  reader.offset += match[0].length;
  return Number(match[0]);
}

const words: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null };

function readWord(reader: Reader): boolean | null {
  const match = /^[A-Za-z]{1,10}/.exec(reader.text.slice(reader.offset, reader.offset + 10));
  const word = match?.[0] ?? "";
  if (!Object.hasOwn(words, word)) throw fail(reader, `expected a value, found ${shown(reader)}`);
  reader.offset += word.length;
  return words[word] ?? null;
}

const space = /[\s\uFEFF]*/y;

function skipSpace(reader: Reader): void {
  const { text } = reader;
  for (;;) {
    space.lastIndex = reader.offset;
    reader.offset += space.exec(text)?.[0].length ?? 0;
    if (text[reader.offset] !== "/") return;
    if (text[reader.offset + 1] === "/") {
      const rest = /[^\r\n]*/y;
      rest.lastIndex = reader.offset;
      reader.offset += rest.exec(text)?.[0].length ?? 0;
    } else if (text[reader.offset + 1] === "*") {
      const end = text.indexOf("*/", reader.offset + 2);
      if (end < 0) throw fail(reader, "the comment that begins here does not end");
      reader.offset = end + 2;
    } else return;
  }
}

function take(reader: Reader, character: string): boolean {
  if (reader.text[reader.offset] !== character) return false;
  reader.offset += 1;
  return true;
}

function shown(reader: Reader): string {
  const character = reader.text.codePointAt(reader.offset);
  return character === undefined ? "the end of the text" : JSON.stringify(String.fromCodePoint(character));
}

function fail(reader: Reader, what: string) {
  const { line, column } = reader.positions.at(Math.min(reader.offset, reader.text.length));
  return relaxedJsonErrors.InvalidRequestContent(
    `The request content was invalid and could not be deserialized: '${what}, line ${line}, position ${column}.'.`,
    { facts: { lineNumber: line, linePosition: column } },
  );
}
