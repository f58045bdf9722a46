// Texts: positions, encodings, compression, and the formats that are parsed.

import { createHash } from "node:crypto";
import { domainToASCII } from "node:url";
import { deflateSync, gunzipSync, gzipSync, inflateSync } from "node:zlib";
import { dynamicToText, parseDynamic, type Dynamic } from "../values/dynamic.ts";
import { bag, integer, list, text, type RuntimeFunction } from "./value.ts";

/** Positions count code points, as KQL does. */
const points = (value: string): string[] => [...value];

function indexOf(args: readonly Dynamic[]): bigint | null {
  const [source, wanted, start, length, occurrence] = args;
  const [haystack, needle] = [points(text(source)), points(text(wanted))];
  if (needle.length === 0) return null;
  const from = integer(start) < 0 ? Math.max(haystack.length + integer(start), 0) : integer(start);
  const size = integer(length, -1);
  const end = size < 0 ? haystack.length : Math.min(from + size, haystack.length);
  let remaining = integer(occurrence, 1);
  if (remaining < 0 || size < -1) return null;
  for (let at = from; at + needle.length <= end; at += 1) {
    if (!needle.every((character, offset) => haystack[at + offset] === character)) continue;
    remaining -= 1;
    if (remaining <= 0) return BigInt(at);
  }
  return -1n;
}

/** Occurrences that may overlap. */
function countOf(source: string, wanted: string): bigint {
  if (wanted === "") return 0n;
  let count = 0n;
  for (let at = source.indexOf(wanted); at >= 0; at = source.indexOf(wanted, at + 1)) count += 1n;
  return count;
}

const escapeRegex = (value: string): string => value.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

function bytesOfBase64(value: string): Buffer | null {
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value)
    ? Buffer.from(value, "base64")
    : null;
}

function asText(bytes: Uint8Array | null): string {
  try {
    return bytes === null ? "" : strictUtf8.decode(bytes);
  } catch {
    return "";
  }
}

const largestUnpacked = 16 * 1024 * 1024;

function unpacked(value: string, unpack: (bytes: Buffer, options: { maxOutputLength: number }) => Buffer): string {
  const bytes = bytesOfBase64(value);
  try {
    return bytes === null ? "" : asText(unpack(bytes, { maxOutputLength: largestUnpacked }));
  } catch {
    return "";
  }
}

/** The service stores short texts as they are. */
const packLevel = (value: string): number => (value.length < 64 ? 0 : 6);

/** The header names no operating system, as the service's does. */
function gzipped(value: string): Buffer {
  const bytes = gzipSync(value, { level: packLevel(value) });
  bytes[8] = 0;
  bytes[9] = 255;
  return bytes;
}

function decodeUrl(value: string, plus: boolean): string {
  const spaced = plus ? value.replaceAll("+", " ") : value;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}

const lowerEscapes = (value: string): string => value.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase());

function parseKv(source: string, options: Map<string, Dynamic>, key: string): string {
  const option = (name: string): string => dynamicToText(options.get(name) ?? null);
  const pairs = option("pair_delimiter") || " ";
  const separator = option("kv_delimiter") || "=";
  const quotes = option("quote") === "" ? [] : points(option("quote"));
  const escape = option("escape");
  const greedy = option("greedy").toLowerCase() === "true";
  const [open, close = open] = quotes;
  for (const pair of splitPairs(source, pairs, open, close, escape, separator, greedy)) {
    const at = pair.indexOf(separator);
    if (at < 0) continue;
    const name = unquoted(pair.slice(0, at).trim(), open, close, escape);
    if (name === key) return unquoted(pair.slice(at + separator.length), open, close, escape);
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

/** A label behind `xn--` as RFC 3492 decodes it; the case of plain letters stays. */
function decodeLabel(label: string): string {
  if (!/^xn--/i.test(label)) return label;
  const encoded = label.slice(4);
  const dash = encoded.lastIndexOf("-");
  const output = points(dash < 0 ? "" : encoded.slice(0, dash));
  let [code, index, bias] = [128, 0, 72];
  for (let at = dash + 1; at < encoded.length;) {
    const before = index;
    for (let [weight, step] = [1, 36]; ; step += 36) {
      const digit = Number.parseInt(encoded.charAt(at), 36);
      if (Number.isNaN(digit)) return label;
      const value = digit < 10 ? digit + 26 : digit - 10;
      at += 1;
      index += value * weight;
      const threshold = step <= bias ? 1 : step >= bias + 26 ? 26 : step - bias;
      if (value < threshold) break;
      weight *= 36 - threshold;
    }
    const length = output.length + 1;
    bias = adapted(index - before, length, before === 0);
    code += Math.floor(index / length);
    index %= length;
    if (code > 0x10_ff_ff) return label;
    output.splice(index, 0, String.fromCodePoint(code));
    index += 1;
  }
  return output.join("");
}

function adapted(delta: number, length: number, first: boolean): number {
  let value = Math.floor(delta / (first ? 700 : 2));
  value += Math.floor(value / length);
  let step = 0;
  for (; value > 455; step += 36) value = Math.floor(value / 35);
  return step + Math.floor((36 * value) / (value + 38));
}

const sizes = ["Bytes", "KB", "MB", "GB", "TB", "PB", "EB"];

function formatBytes(value: number, precision: number, unit: string): string {
  const size = Math.abs(value);
  const wanted = sizes.indexOf(unit);
  const power = wanted >= 0 ? wanted : Math.min(size < 1024 ? 0 : Math.floor(Math.log2(size) / 10), sizes.length - 1);
  const scaled = (value / 1024 ** power).toFixed(precision);
  return `${precision > 0 ? scaled.replace(/\.?0+$/, "") : scaled} ${sizes[power]}`;
}

/** The digest of nothing is nothing. */
const digest =
  (algorithm: string): RuntimeFunction =>
  ([value = null]) => {
    const content = dynamicToText(value);
    return content === "" ? "" : createHash(algorithm).update(content).digest("hex");
  };

export const textFunctions: Readonly<Record<string, RuntimeFunction>> = {
  indexof: indexOf,
  countof: ([source, wanted]) => countOf(text(source), text(wanted)),
  matches_unicode: ([source, pattern, ignoreCase]) =>
    remembered(text(pattern), ignoreCase === true ? "iu" : "u").test(text(source)),
  has_any_index: ([source, values]) => {
    const terms = list(values);
    if (terms === undefined) return null;
    return BigInt(terms.findIndex((term) => containsTerm(text(source), dynamicToText(term))));
  },
  hasAnyOfArray: ([source, values]) =>
    (list(values) ?? []).some((term) => containsTerm(text(source), dynamicToText(term))),
  hasAllOfArray: ([source, values]) =>
    (list(values) ?? []).every((term) => containsTerm(text(source), dynamicToText(term))),
  parse_kv: ([source, options, key]) => parseKv(text(source), bag(options) ?? new Map(), text(key)),
  base64_encode_tostring: ([value]) => Buffer.from(text(value), "utf8").toString("base64"),
  base64_decode_tostring: ([value]) => asText(bytesOfBase64(text(value))),
  base64_decode_toarray: ([value]) => {
    const bytes = bytesOfBase64(text(value));
    return bytes === null ? null : [...bytes].map(BigInt);
  },
  base64_encode_fromarray: ([value]) =>
    list(value) === undefined ? "" : Buffer.from((list(value) ?? []).map((byte) => integer(byte))).toString("base64"),
  base64_encode_fromguid: ([value]) => {
    const hex = text(value).replaceAll("-", "");
    const mixed = hex.replace(/^(..)(..)(..)(..)(..)(..)(..)(..)/, "$4$3$2$1$6$5$8$7");
    return Buffer.from(mixed, "hex").toString("base64");
  },
  base64_decode_toguid: ([value]) => {
    const bytes = bytesOfBase64(text(value));
    if (bytes === null || bytes.length !== 16) return null;
    const hex = bytes.toString("hex").replace(/^(..)(..)(..)(..)(..)(..)(..)(..)/, "$4$3$2$1$6$5$8$7");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  },
  gzip_compress_to_base64_string: ([value]) => gzipped(text(value)).toString("base64"),
  gzip_decompress_from_base64_string: ([value]) => unpacked(text(value), gunzipSync),
  zlib_compress_to_base64_string: ([value]) =>
    deflateSync(text(value), { level: packLevel(text(value)) }).toString("base64"),
  zlib_decompress_from_base64_string: ([value]) => unpacked(text(value), inflateSync),
  url_encode: ([value]) =>
    lowerEscapes(
      encodeURIComponent(text(value))
        .replaceAll("%20", "+")
        .replaceAll(/['~]/g, (c) => `%${c.charCodeAt(0).toString(16)}`),
    ),
  url_encode_component: ([value]) =>
    encodeURIComponent(text(value)).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`),
  url_decode: ([value]) => decodeUrl(text(value), true),
  parse_url: ([value]) => parseUrl(text(value)),
  parse_urlquery: ([value]) => new Map<string, Dynamic>([["Query Parameters", queryParameters(text(value))]]),
  parse_path: ([value]) => parsePath(text(value)),
  parse_csv: ([value]) => parseCsv(text(value)),
  parse_command_line: ([value, kind]) =>
    text(kind).toLowerCase() === "windows" && text(value) !== "" ? commandLine(text(value)) : null,
  version_text: ([value]) => versionText(text(value)),
  extract_json: ([path, document]) => jsonPath(text(path), text(document)),
  format_bytes: ([value, precision, unit]) => formatBytes(integer(value), integer(precision), text(unit)),
  unicode_codepoints_from_string: ([value = null]) =>
    value === null ? null : points(dynamicToText(value)).map((point) => BigInt(point.codePointAt(0) ?? 0)),
  unicode_codepoints_to_string: (args) =>
    String.fromCodePoint(...args.flatMap((arg) => list(arg) ?? [arg]).map((point) => integer(point))),
  isascii: ([value]) => [...text(value)].every((point) => (point.codePointAt(0) ?? 0) < 128),
  isutf8: ([value]) => text(value).isWellFormed(),
  tohex: ([value, length]) =>
    typeof value === "bigint"
      ? BigInt.asUintN(64, value)
          .toString(16)
          .padStart(Math.min(integer(length), 1024), "0")
      : "",
  hash_md5: digest("md5"),
  hash_sha1: digest("sha1"),
  hash_sha256: digest("sha256"),
  punycode_from_string: ([value]) => domainToASCII(text(value)).replace(/^xn--/, ""),
  punycode_to_string: ([value]) => decodeLabel(`xn--${text(value)}`),
  translate: ([from, to, source]) => translated(points(text(from)), points(text(to)), text(source)),
  replace_strings: ([source, wanted, replacements]) => replaceStrings(text(source), list(wanted) ?? [], replacements),
  punycode_domain_from_string: ([value]) => text(value).split(".").map(decodeLabel).join("."),
  punycode_domain_to_string: ([value]) => domainToASCII(text(value)),
};

/** All at once: what was put in is not looked at again. */
function replaceStrings(source: string, wanted: readonly Dynamic[], replacements: Dynamic | undefined): string {
  const targets = list(replacements ?? null);
  const rules = new Map<string, string>();
  for (const [index, item] of wanted.entries()) {
    const target = targets === undefined ? text(replacements) : dynamicToText(targets[index] ?? null);
    const key = dynamicToText(item);
    if (key !== "" && !rules.has(key)) rules.set(key, target);
  }
  if (rules.size === 0) return source;
  const pattern = new RegExp([...rules.keys()].map(escapeRegex).join("|"), "g");
  return source.replaceAll(pattern, (found) => rules.get(found) ?? found);
}

/** Each character of the first list becomes its neighbour in the second; the last one stands for those beyond. */
function translated(from: readonly string[], to: readonly string[], source: string): string {
  return points(source)
    .map((point) => {
      const at = from.indexOf(point);
      return at < 0 ? point : (to[at] ?? to.at(-1) ?? "");
    })
    .join("");
}

const patterns = new Map<string, RegExp>();

/** A pattern that is the same for all rows of a query. */
function remembered(pattern: string, flags: string): RegExp {
  const key = `${flags}/${pattern}`;
  const known = patterns.get(key) ?? new RegExp(pattern, flags);
  if (patterns.size >= 100) patterns.clear();
  patterns.set(key, known);
  return known;
}

/** The whole term, in any case. */
function containsTerm(source: string, term: string): boolean {
  if (term === "") return true;
  return remembered(`(^|[^\\p{L}\\p{N}])${escapeRegex(term)}($|[^\\p{L}\\p{N}])`, "iu").test(source);
}
