// Texts: positions, terms, replacing, and how sizes and numbers are written.

import { dynamicToText, type Dynamic } from "../values/dynamic.ts";
import { escapeRegex } from "../values/escape-regex.ts";
import { boundedBy, edgesOf, noTermCharacter } from "../values/terms.ts";
import { integer, list, points, text, type RuntimeFunction } from "./value.ts";

function indexOf(args: readonly Dynamic[]): bigint | null {
  const [source, wanted, start, length, occurrence] = args;
  const [haystack, needle] = [points(text(source)), points(text(wanted))];
  if (needle.length === 0) return null;
  const from = integer(start) < 0 ? Math.max(haystack.length + integer(start), 0) : integer(start);
  const size = integer(length, -1);
  // The length counts anew from behind each occurrence.
  const endFrom = (at: number): number => (size < 0 ? haystack.length : Math.min(at + size, haystack.length));
  let remaining = integer(occurrence, 1);
  if (remaining < 0 || size < -1) return null;
  let end = endFrom(from);
  for (let at = from; at + needle.length <= end; at += 1) {
    if (!needle.every((character, offset) => haystack[at + offset] === character)) continue;
    remaining -= 1;
    if (remaining <= 0) return BigInt(at);
    end = endFrom(at + 1);
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

const sizes = ["Bytes", "KB", "MB", "GB", "TB", "PB", "EB"];

function formatBytes(value: number, precision: number, unit: string): string {
  const size = Math.abs(value);
  const wanted = sizes.indexOf(unit);
  const power = wanted >= 0 ? wanted : Math.min(size < 1024 ? 0 : Math.floor(Math.log2(size) / 10), sizes.length - 1);
  const scaled = (value / 1024 ** power).toFixed(precision);
  return `${precision > 0 ? scaled.replace(/\.?0+$/, "") : scaled} ${sizes[power]}`;
}

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
  format_bytes: ([value, precision, unit]) => formatBytes(integer(value), integer(precision), text(unit)),
  isascii: ([value]) => [...text(value)].every((point) => (point.codePointAt(0) ?? 0) < 128),
  isutf8: ([value]) => text(value).isWellFormed(),
  tohex: ([value, length]) =>
    typeof value === "bigint"
      ? BigInt.asUintN(64, value)
          .toString(16)
          .padStart(Math.min(integer(length), 16), "0")
      : "",
  translate: ([from, to, source]) => translated(points(text(from)), points(text(to)), text(source)),
  replace_strings: ([source, wanted, replacements]) => replaceStrings(text(source), list(wanted) ?? [], replacements),
};

/**
 * What was put in is not looked at again, and an earlier word has what a later one shares with it. A
 * word whose replacement is no text stays.
 */
function replaceStrings(source: string, wanted: readonly Dynamic[], replacements: Dynamic | undefined): string {
  const targets = list(replacements ?? null);
  let pieces: readonly { readonly text: string; readonly done: boolean }[] = [{ text: source, done: false }];
  for (const [index, item] of wanted.entries()) {
    const key = dynamicToText(item);
    const target = targets === undefined ? replacements : targets[index];
    if (key === "" || target === undefined || target === null) continue;
    const replacement = typeof target === "string" ? target : key;
    pieces = pieces.flatMap((piece) => {
      if (piece.done || !piece.text.includes(key)) return [piece];
      return piece.text
        .split(key)
        .flatMap((rest, at) => [...(at === 0 ? [] : [{ text: replacement, done: true }]), { text: rest, done: false }]);
    });
  }
  return pieces.map((piece) => piece.text).join("");
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
  return remembered(boundedBy(noTermCharacter, escapeRegex(term), edgesOf(term)), "iu").test(source);
}
