// The patterns of `reduce`: texts are words between separators; a word that stands at the same place in
// enough of the rows is part of the pattern, everything else is `*`. Numbers are never part of it. After
// Vaarandi, "A Data Clustering Algorithm for Mining Patterns From Event Logs", which the service follows.

import { toNumber, type Dynamic } from "../values/dynamic.ts";
import { notSupported } from "./unsupported.ts";
import { bag, list, text, type RuntimeFunction } from "./value.ts";

interface Group {
  readonly pattern: string;
  count: number;
  readonly representative: string;
}

interface Value {
  readonly text: string;
  readonly rows: number;
  readonly words: readonly string[];
  /** One more than there are words. */
  readonly gaps: readonly string[];
}

const mostReducedTexts = 100_000;

/** What no pattern fits. */
const others = "others";

const usualSeparators = /[^A-Za-z0-9]+/g;

function separatorsOf(characters: string): RegExp {
  if (characters === "") return usualSeparators;
  return new RegExp(`[${characters.replaceAll(/[\\\]^-]/g, "\\$&")}]+`, "g");
}

function valueOf(item: Dynamic, separators: RegExp): Value {
  const found = bag(item);
  const shown = text(found?.get("v"));
  return {
    text: shown,
    rows: toNumber(found?.get("n") ?? null) ?? 0,
    words: shown.split(separators),
    gaps: ["", ...(shown.match(separators) ?? []), ""],
  };
}

/** A separator that the query chose belongs to what it separates; the usual ones are shown. */
function patternOf({ words, gaps }: Value, isFixed: (place: number, word: string) => boolean, chosen: boolean): string {
  let pattern = "";
  let wild = false;
  words.forEach((word, place) => {
    const gap = gaps[place] ?? "";
    const fixed = isFixed(place, word);
    if (!chosen || (fixed && !wild)) pattern += gap;
    if (fixed) pattern += word;
    else if (!pattern.endsWith("*")) pattern += "*";
    wild = !fixed;
  });
  return pattern;
}

const isNumber = (word: string): boolean => /^\d+$/.test(word);

const groupsOf: RuntimeFunction = ([values, threshold, characters]) => {
  const given = list(values);
  if (given === undefined) return null;
  if (given.length > mostReducedTexts) throw notSupported(`reduce of more than ${mostReducedTexts} different texts`);
  const chosen = text(characters);
  const separators = separatorsOf(chosen);
  const read = given.map((item) => valueOf(item, separators));
  const total = read.reduce((sum, { rows }) => sum + rows, 0);
  const least = (toNumber(threshold ?? null) ?? 0.1) * total;
  const support = new Map<string, number>();
  const keyOf = (place: number, word: string): string => `${place} ${word}`;
  for (const { words, rows } of read) {
    for (const [place, word] of words.entries()) {
      const key = keyOf(place, word);
      support.set(key, (support.get(key) ?? 0) + rows);
    }
  }
  const isFixed = (place: number, word: string): boolean =>
    word !== "" && !isNumber(word) && (support.get(keyOf(place, word)) ?? 0) > least;
  const groups = new Map<string, Group>();
  const found = read.map((value) => {
    const known = value.words.some((word, place) => isFixed(place, word));
    const pattern = known ? patternOf(value, isFixed, chosen !== "") : others;
    const group = groups.get(pattern) ?? { pattern, count: 0, representative: known ? value.text : "" };
    group.count += value.rows;
    groups.set(pattern, group);
    return { value, group };
  });
  return found.map(({ value, group }) => [value.text, group.pattern, BigInt(group.count), group.representative]);
};

/** Each text with its pattern, the rows of that pattern and one of its texts. */
export const reduceFunctions: Readonly<Record<string, RuntimeFunction>> = { reduce_patterns: groupsOf };
