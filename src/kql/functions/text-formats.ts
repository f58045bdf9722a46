// Texts that have parts: key-value pairs, URLs, paths, CSV, command lines, versions, JSON.

import { dynamicToText, parseDynamic, type Dynamic } from "../values/dynamic.ts";
import { escapeRegex } from "../values/escape-regex.ts";
import { bag, list, points, text, type RuntimeFunction } from "./value.ts";

export const textFormats: Readonly<Record<string, RuntimeFunction>> = {
  parse_kv: ([source, options, key]) => parseKv(text(source), bag(options) ?? new Map(), text(key)),
  parse_url: ([value]) => parseUrl(text(value)),
  parse_urlquery: ([value]) => new Map<string, Dynamic>([["Query Parameters", queryParameters(text(value))]]),
  parse_path: ([value]) => parsePath(text(value)),
  parse_csv: ([value]) => parseCsv(text(value)),
  parse_command_line: ([value, kind]) =>
    text(kind).toLowerCase() === "windows" && text(value) !== "" ? commandLine(text(value)) : null,
  version_text: ([value]) => versionText(text(value)),
  extract_json: ([path, document]) => jsonPath(text(path), text(document)),
};

function parseKv(source: string, options: Map<string, Dynamic>, key: string): string {
  const option = (name: string): string => dynamicToText(options.get(name) ?? null);
  const pairs = option("pair_delimiter") || " ";
  const separator = option("kv_delimiter") || "=";
  const quotes = option("quote") === "" ? [] : points(option("quote"));
  const escape = option("escape");
  const greedy = option("greedy").toLowerCase() === "true";
  const [open, close = open] = quotes;
  if (!options.has("pair_delimiter") && !options.has("kv_delimiter")) {
    const names = new Set((list(options.get("keys")) ?? []).map(dynamicToText));
    return valueBehind(wordsOf(source, open, close, escape), names, key);
  }
  for (const pair of splitPairs(source, pairs, open, close, escape, separator, greedy)) {
    const at = pair.indexOf(separator);
    if (at < 0) continue;
    const name = unquoted(pair.slice(0, at).trim(), open, close, escape);
    if (name === key) return unquoted(pair.slice(at + separator.length).trim(), open, close, escape);
  }
  return "";
}

/** Without delimiters every sign is one: words are runs of letters and digits, or what stands in quotes. */
function wordsOf(source: string, open: string | undefined, close: string | undefined, escape: string): string[] {
  const found: string[] = [];
  const word = /[\p{L}\p{N}]+/uy;
  for (let at = 0; at < source.length;) {
    if (open !== undefined && close !== undefined && source.startsWith(open, at)) {
      let end = at + open.length;
      while (end < source.length && !source.startsWith(close, end))
        end += escape !== "" && source.startsWith(escape, end) ? 2 : 1;
      found.push(unquoted(source.slice(at, end + close.length), open, close, escape));
      at = end + close.length;
      continue;
    }
    word.lastIndex = at;
    const run = word.exec(source)?.[0];
    if (run !== undefined) found.push(run);
    at += run?.length ?? 1;
  }
  return found;
}

/** A key's value is the word behind it, which is no key itself then. */
function valueBehind(words: readonly string[], keys: ReadonlySet<string>, key: string): string {
  for (let at = 0; at + 1 < words.length; at += 1) {
    const word = words[at] ?? "";
    if (word === key) return words[at + 1] ?? "";
    if (keys.has(word)) at += 1;
  }
  return "";
}

function splitPairs(
  source: string,
  delimiters: string,
  open: string | undefined,
  close: string | undefined,
  escape: string,
  separator: string,
  greedy: boolean,
): string[] {
  const found: string[] = [];
  let current = "";
  let inside = false;
  for (let at = 0; at < source.length; at += 1) {
    const character = source.charAt(at);
    if (escape !== "" && character === escape && inside) {
      current += character + source.charAt(at + 1);
      at += 1;
    } else if (open !== undefined && ((!inside && character === open) || (inside && character === close))) {
      inside = !inside;
      current += character;
    } else if (!inside && source.startsWith(delimiters, at)) {
      found.push(current);
      current = "";
      at += delimiters.length - 1;
    } else current += character;
  }
  found.push(current);
  if (!greedy) return found;
  // Greedy values go on until the next piece that has a key.
  const merged: string[] = [];
  for (const piece of found) {
    if (piece.includes(separator) || merged.length === 0) merged.push(piece);
    else merged.push(`${merged.pop()}${delimiters}${piece}`);
  }
  return merged;
}

function unquoted(value: string, open: string | undefined, close: string | undefined, escape: string): string {
  if (open === undefined || close === undefined) return value;
  const trimmed = value.trim();
  if (!trimmed.startsWith(open) || !trimmed.endsWith(close) || trimmed.length < 2) return value;
  const inner = trimmed.slice(open.length, -close.length);
  return escape === "" ? inner : inner.replaceAll(new RegExp(`${escapeRegex(escape)}(.)`, "gs"), "$1");
}

function parseUrl(value: string): Dynamic {
  const match =
    /^([a-z][a-z0-9+.-]*):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^:/?#]*)(?::(\d+))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/i.exec(
      value,
    );
  const part = (index: number): string => match?.[index] ?? "";
  return new Map<string, Dynamic>([
    ["Scheme", part(1)],
    ["Host", part(4)],
    ["Port", part(5)],
    ["Path", part(6)],
    ["Username", part(2)],
    ["Password", part(3)],
    ["Query Parameters", queryParameters(part(7))],
    ["Fragment", part(8)],
  ]);
}

function queryParameters(query: string): Map<string, Dynamic> {
  const found = new Map<string, Dynamic>();
  for (const pair of query.replace(/^\?/, "").split("&")) {
    const at = pair.indexOf("=");
    if (at > 0) found.set(pair.slice(0, at), pair.slice(at + 1));
  }
  return found;
}

function parsePath(whole: string): Dynamic {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(whole)?.[1] ?? "";
  const value = scheme === "" ? whole : whole.slice(scheme.length + 3);
  const [path = "", stream = ""] = value.lastIndexOf(":") > 1 ? splitLast(value, ":") : [value, ""];
  const root = /^([a-z]:[\\/])/i.exec(path)?.[1] ?? "";
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  const filename = path.slice(at + 1);
  const folder = at < 0 ? "" : path.slice(0, at);
  const directory = folder.slice(Math.max(folder.lastIndexOf("/"), folder.lastIndexOf("\\")) + 1);
  const dot = filename.lastIndexOf(".");
  return new Map<string, Dynamic>([
    ["Scheme", scheme],
    ["RootPath", root],
    ["DirectoryPath", folder],
    ["DirectoryName", directory],
    ["Filename", filename],
    ["Extension", dot < 0 ? "" : filename.slice(dot + 1)],
    ["AlternateDataStreamName", stream],
  ]);
}

function splitLast(value: string, separator: string): [string, string] {
  const at = value.lastIndexOf(separator);
  return [value.slice(0, at), value.slice(at + 1)];
}

function parseCsv(value: string): string[] {
  const found: string[] = [];
  // Only the first record counts; a quoted field may hold line breaks.
  const pattern = /(?:^|,)(?:\s*"((?:[^"]|"")*)"[^,\r\n]*|([^,\r\n]*))/gy;
  for (const match of value.matchAll(pattern)) found.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
  return found;
}

/** Words of a Windows command line. */
function commandLine(value: string): string[] {
  const found: string[] = [];
  let current: string | undefined;
  let quoted = false;
  for (const match of value.matchAll(/(\\*)"|\\+|\s|[^\s"\\]+/g)) {
    const [piece, slashes] = match;
    if (piece.endsWith('"') && slashes !== undefined) {
      current = (current ?? "") + "\\".repeat(Math.floor(slashes.length / 2));
      if (slashes.length % 2 === 1) current += '"';
      else quoted = !quoted;
    } else if (/^\s$/.test(piece) && !quoted) {
      if (current !== undefined) found.push(current);
      current = undefined;
    } else current = (current ?? "") + piece;
  }
  if (current !== undefined) found.push(current);
  return found;
}

/** Four parts of eight digits, as one number; empty when the text is no version. */
function versionText(value: string): string {
  const parts = value.split(".");
  if (parts.length > 4 || !parts.every((part) => /^\d{1,8}$/.test(part))) return "";
  return [...parts, "0", "0", "0"]
    .slice(0, 4)
    .map((part) => part.padStart(8, "0"))
    .join("");
}

function jsonPath(path: string, document: string): Dynamic {
  let at = parseDynamic(document) ?? null;
  for (const match of path.matchAll(/\.([^.[\]]+)|\[(\d+)\]|\['([^']*)'\]/g)) {
    if (match[2] !== undefined) at = list(at)?.[Number(match[2])] ?? null;
    else at = bag(at)?.get(match[1] ?? match[3] ?? "") ?? null;
  }
  return at;
}
