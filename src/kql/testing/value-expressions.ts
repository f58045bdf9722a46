// Steps that look at one row: texts, times, numbers, arrays and bags.

import fc from "fast-check";
import type { JsonValue } from "../json-result.ts";
import {
  type Step,
  total,
  binTo,
  dateOf,
  minuteOf,
  terms,
  asText,
  asLong,
  isBag,
  memberOf,
  elementOf,
  each,
  where,
} from "./value-rows.ts";

const wordTests: readonly (readonly [operator: string, holds: (text: string, word: string) => boolean])[] = [
  ["has", (text, word) => terms(text).includes(word)],
  ["!has", (text, word) => !terms(text).includes(word)],
  ["hasprefix", (text, word) => terms(text).some((term) => term.startsWith(word))],
  ["hassuffix", (text, word) => terms(text).some((term) => term.endsWith(word))],
  ["contains", (text, word) => text.toLowerCase().includes(word)],
  ["!contains", (text, word) => !text.toLowerCase().includes(word)],
  ["contains_cs", (text, word) => text.includes(word)],
  ["startswith", (text, word) => text.toLowerCase().startsWith(word)],
  ["endswith", (text, word) => text.toLowerCase().endsWith(word)],
  ["!endswith", (text, word) => !text.toLowerCase().endsWith(word)],
  ["=~", (text, word) => text.toLowerCase() === word],
  ["!~", (text, word) => text.toLowerCase() !== word],
];

/** Words with signs at their ends: found where no letter or digit goes on beside one. */
const foundAt = (text: string, word: string, before: boolean, after: boolean): boolean =>
  [...text].some((_, at) => {
    const isCut = (left: string | undefined, right: string | undefined): boolean =>
      !/[\p{L}\p{N}]/u.test(left ?? "") || !/[\p{L}\p{N}]/u.test(right ?? "");
    const end = at + word.length;
    if (text.slice(at, end).toLowerCase() !== word) return false;
    return (!before || isCut(text[at - 1], word[0])) && (!after || isCut(word.at(-1), text[end]));
  });

const signedTests: readonly (readonly [operator: string, before: boolean, after: boolean])[] = [
  ["has", true, true],
  ["hasprefix", true, false],
  ["hassuffix", false, true],
];

export const texts: fc.Arbitrary<Step> = fc.oneof(
  fc
    .tuple(fc.constantFrom(...signedTests), fc.constantFrom("-", "-c", "b-", " y", "y ", "|", "x|", "|2", "- "))
    .map(([[operator, before, after], word]) =>
      where(`s ${operator} "${word}"`, ({ s }) => foundAt(s, word, before, after)),
    ),
  fc
    .tuple(fc.constantFrom(...wordTests), fc.constantFrom("x", "y", "b", "ä", "c", "z"))
    .map(([[operator, holds], word]) => where(`s ${operator} "${word}"`, (row) => holds(row.s, word))),
  fc.constant(where('s in~ ("XY", "A B")', ({ s }) => ["xy", "a b"].includes(s.toLowerCase()))),
  fc.constant(where('s has_any ("y", "c")', ({ s }) => terms(s).some((term) => term === "y" || term === "c"))),
  fc.constant(where('s has_all ("x", "z")', ({ s }) => terms(s).includes("x") && terms(s).includes("z"))),
  fc.constant(where('s matches regex "^[a-z]+$"', ({ s }) => /^[a-z]+$/.test(s))),
  fc
    .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }))
    .map(([from, length]) =>
      each(`s = substring(s, ${from}, ${length})`, ({ s }) => ({ s: s.slice(from, from + length) })),
    ),
  fc.constant(each('s = replace_string(s, "x", "yy")', ({ s }) => ({ s: s.replaceAll("x", "yy") }))),
  fc.constant(each("s = strcat(s, '|', a)", ({ s, a }) => ({ s: `${s}|${a ?? ""}` }))),
  fc.constant(each('a = indexof(s, "y")', ({ s }) => ({ a: s.indexOf("y") }))),
  fc.constant(each("a = strlen(s)", ({ s }) => ({ a: s.length }))),
  fc.constant(each('d = split(s, " ")', ({ s }) => ({ d: s.split(" ") }))),
  fc.constant(each('s = tostring(split(s, " ")[-1])', ({ s }) => ({ s: s.split(" ").at(-1) ?? "" }))),
  fc.constant<Step>({
    text: 'parse s with left:string " " right:string | extend s = strcat(right, left) | project-away left, right',
    apply: (rows) =>
      rows.map((row) => {
        const at = row.s.indexOf(" ");
        return { ...row, s: at < 0 ? "" : `${row.s.slice(at + 1)}${row.s.slice(0, at)}` };
      }),
  }),
);

export const times: fc.Arbitrary<Step> = fc.oneof(
  fc
    .constantFrom<readonly [string, number]>(
      ["7m", 7],
      ["15m", 15],
      ["1h", 60],
      ["6h", 360],
      ["1d", 1440],
      ["7d", 10_080],
    )
    .map(([size, minutes]) => each(`t = bin(t, ${size})`, ({ t }) => ({ t: binTo(t, minutes) }))),
  fc.constant(
    each("t = startofweek(t)", ({ t }) => ({
      t: t === null ? null : (binTo(t, 1440) ?? 0) - dateOf(t).getUTCDay() * 1440,
    })),
  ),
  fc.constant(
    each("t = startofmonth(t)", ({ t }) => ({
      t: t === null ? null : minuteOf(Date.UTC(dateOf(t).getUTCFullYear(), dateOf(t).getUTCMonth(), 1)),
    })),
  ),
  fc.constant(each("t = t + a * 1h", ({ t, a }) => ({ t: t === null || a === null ? null : t + a * 60 }))),
  fc.constant(each("b = hourofday(t)", ({ t }) => ({ b: t === null ? null : dateOf(t).getUTCHours() }))),
  fc.constant(each("b = tolong(dayofweek(t) / 1d)", ({ t }) => ({ b: t === null ? null : dateOf(t).getUTCDay() }))),
  fc.constant(
    each('a = datetime_diff("hour", t, datetime(2020-01-01))', ({ t }) => ({
      a: t === null ? null : Math.floor(t / 60),
    })),
  ),
  fc.constant(
    each("a = tolong((t - datetime(2020-01-01)) / 1h)", ({ t }) => ({ a: t === null ? null : Math.trunc(t / 60) })),
  ),
  fc.constant(
    each('s = format_datetime(t, "yyyy-MM-dd HH:mm")', ({ t }) => ({
      s: t === null ? "" : dateOf(t).toISOString().slice(0, 16).replace("T", " "),
    })),
  ),
  fc.constant(where("t between (datetime(2019-12-31) .. 10d)", ({ t }) => t !== null && t >= -1440 && t <= 9 * 1440)),
  fc.constant(where("t > datetime(2020-01-05)", ({ t }) => t !== null && t > 4 * 1440)),
);

const modulo = (x: number, y: number): number => ((x % y) + Math.abs(y)) % Math.abs(y);
const both = (x: number | null, y: number | null, combine: (x: number, y: number) => number | null): number | null =>
  x === null || y === null ? null : combine(x, y);

export const numbers: fc.Arbitrary<Step> = fc.oneof(
  fc.constant(each("a = a / b", ({ a, b }) => ({ a: both(a, b, (x, y) => (y === 0 ? null : Math.trunc(x / y) + 0)) }))),
  fc.constant(each("a = a % b", ({ a, b }) => ({ a: both(a, b, (x, y) => (y === 0 ? null : modulo(x, y))) }))),
  fc.constant(each("a = coalesce(a, b, 9)", ({ a, b }) => ({ a: a ?? b ?? 9 }))),
  fc.constant(each("b = max_of(a, b)", ({ a, b }) => ({ b: a === null ? b : b === null ? a : Math.max(a, b) }))),
  fc.constant(each("b = iff(a > b, a, b)", ({ a, b }) => ({ b: a !== null && b !== null && a > b ? a : b }))),
  fc.constant(
    each("b = case(a < 0, -1, a == 0, 0, isnull(a), 7, 1)", ({ a }) => ({
      b: a === null ? 7 : a < 0 ? -1 : a === 0 ? 0 : 1,
    })),
  ),
  fc.constant(where("a !between (0 .. 2)", ({ a }) => a !== null && (a < 0 || a > 2))),
  fc.constant(where("a == b", ({ a, b }) => a !== null && b !== null && a === b)),
);

export const dynamics: fc.Arbitrary<Step> = fc.oneof(
  fc.constant(each("a = tolong(d[0])", ({ d }) => ({ a: asLong(elementOf(d, 0)) }))),
  fc.constant(each("s = tostring(d[-1])", ({ d }) => ({ s: asText(elementOf(d, -1)) }))),
  fc.constant(each("a = tolong(d.k)", ({ d }) => ({ a: asLong(memberOf(d, "k")) }))),
  fc.constant(each("s = tostring(d.m)", ({ d }) => ({ s: asText(memberOf(d, "m")) }))),
  fc.constant(each("s = tostring(d)", ({ d }) => ({ s: asText(d) }))),
  fc.constant(each("b = array_length(d)", ({ d }) => ({ b: Array.isArray(d) ? d.length : null }))),
  fc.constant(each("d = pack_array(a, s)", ({ a, s }) => ({ d: [a, s] }))),
  fc.constant(each('d = parse_json(tostring(bag_pack("k", a, "m", s)))', ({ a, s }) => ({ d: { k: a, m: s } }))),
  fc.constant<Step>({
    text: "mv-expand d",
    apply: (rows) =>
      rows.flatMap((row) => {
        if (Array.isArray(row.d)) return row.d.map((d: JsonValue) => ({ ...row, d }));
        return isBag(row.d) ? Object.entries(row.d).map(([key, value]) => ({ ...row, d: { [key]: value } })) : [row];
      }),
  }),
  fc.constant<Step>({
    text: "mv-apply e = d to typeof(long) on (where e >= 0 | summarize a = sum(e), b = count())",
    apply: (rows) =>
      rows.flatMap((row) => {
        const values: readonly JsonValue[] = Array.isArray(row.d) ? row.d : isBag(row.d) ? [] : [row.d];
        const kept = values.filter((value) => typeof value === "number" && value >= 0) as number[];
        // A row whose query sees nothing is gone, summarize or not.
        return kept.length === 0 ? [] : [{ ...row, a: total(kept), b: kept.length }];
      }),
  }),
);
