// Random pipes over rows with texts, times and dynamic values, against a naive evaluator: times, text
// operators, arrays and bags, joins of every kind, orders of null, series and windows. Each step is one
// line of KQL beside a few lines over plain values.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { toJsonValue, type JsonValue } from "./json-result.ts";
import { openTestEngine } from "./testing/engine.ts";

/** `t` counts minutes from 2020-01-01. */
interface Row {
  readonly a: number | null;
  readonly b: number | null;
  readonly s: string;
  readonly t: number | null;
  readonly d: JsonValue;
}

interface Step {
  readonly text: string;
  readonly apply: (rows: readonly Row[]) => readonly Row[];
}

const nothing: Row = { a: null, b: null, s: "", t: null, d: null };
const number = fc.option(fc.integer({ min: -3, max: 4 }), { nil: null, freq: 4 });
const item = fc.oneof(fc.integer({ min: -2, max: 3 }), fc.constantFrom("x", "5", "y z"));
const rowOf: fc.Arbitrary<Row> = fc.record({
  a: number,
  b: number,
  s: fc.constantFrom("", "x", "X", "xy", "a b", "ä", "x y z", "b-c"),
  t: fc.option(fc.integer({ min: -20_000, max: 60_000 }), { nil: null, freq: 5 }),
  d: fc.oneof(
    fc.array(item, { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("k", "m"), item, { maxKeys: 2 }),
    fc.constantFrom<JsonValue>(null, 7, "text"),
  ) as fc.Arbitrary<JsonValue>,
});

const minutesBefore2020 = 737_424 * 1440;
const binTo = (minute: number | null, size: number): number | null =>
  minute === null ? null : Math.floor((minutesBefore2020 + minute) / size) * size - minutesBefore2020;
const dateOf = (minute: number): Date => new Date(Date.UTC(2020, 0, 1) + minute * 60_000);
const minuteOf = (date: number): number => (date - Date.UTC(2020, 0, 1)) / 60_000;
const terms = (text: string): string[] =>
  text
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((term) => term !== "");
const asText = (value: JsonValue): string =>
  value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);
const asLong = (value: JsonValue | undefined): number | null =>
  typeof value === "number" ? value : typeof value === "string" && /^-?\d+$/.test(value) ? Number(value) : null;
const isBag = (value: JsonValue): value is { readonly [key: string]: JsonValue } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const memberOf = (value: JsonValue, key: string): JsonValue => (isBag(value) ? (value[key] ?? null) : null);
const elementOf = (value: JsonValue, at: number): JsonValue =>
  Array.isArray(value) ? ((value.at(at) as JsonValue | undefined) ?? null) : null;

const each = (text: string, change: (row: Row) => Partial<Row>): Step => ({
  text: `extend ${text}`,
  apply: (rows) => rows.map((row) => ({ ...row, ...change(row) })),
});

const where = (text: string, holds: (row: Row) => boolean): Step => ({
  text: `where ${text}`,
  apply: (rows) => rows.filter(holds),
});

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

const texts: fc.Arbitrary<Step> = fc.oneof(
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

const times: fc.Arbitrary<Step> = fc.oneof(
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

const numbers: fc.Arbitrary<Step> = fc.oneof(
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

const dynamics: fc.Arbitrary<Step> = fc.oneof(
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

function grouped<K extends string | number | null>(
  rows: readonly Row[],
  key: (row: Row) => K,
): (readonly [K, Row[]])[] {
  const found = new Map<K, Row[]>();
  for (const row of rows) found.set(key(row), [...(found.get(key(row)) ?? []), row]);
  return [...found];
}

const known = (rows: readonly Row[], name: "a" | "b" | "t"): number[] =>
  rows.flatMap((row) => row[name] ?? []).toSorted((x, y) => x - y);
const extreme = (values: readonly number[], pick: (...values: number[]) => number): number | null =>
  values.length === 0 ? null : pick(...values);
const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const median = (values: readonly number[]): number | null => values[Math.ceil(values.length / 2) - 1] ?? null;

const summaries: fc.Arbitrary<Step> = fc.oneof(
  fc.constant<Step>({
    text: "summarize a = sum(a), b = countif(b > 0), t = max(t), d = array_sort_asc(make_set(b)) by s",
    apply: (rows) =>
      grouped(rows, ({ s }) => s).map(([s, members]) => ({
        s,
        a: total(known(members, "a")),
        b: known(members, "b").filter((value) => value > 0).length,
        t: extreme(known(members, "t"), Math.max),
        d: [...new Set(known(members, "b"))],
      })),
  }),
  fc.constant<Step>({
    text: "summarize a = dcount(a), b = percentile(b, 50), s = max(s), d = array_sort_asc(make_list(a)) by t = bin(t, 1d)",
    apply: (rows) =>
      grouped(rows, ({ t }) => binTo(t, 1440)).map(([t, members]) => ({
        t,
        // A null counts as no value, and not as one more.
        a: new Set(known(members, "a")).size,
        b: median(known(members, "b")),
        s: members.map(({ s }) => s).reduce((most, s) => (s > most ? s : most), ""),
        d: known(members, "a"),
      })),
  }),
  fc.constant<Step>({
    text: "summarize a = count(), b = min(b), t = min(t), d = array_sort_asc(make_list(b)), s = min(s)",
    apply: (rows) => [
      {
        a: rows.length,
        b: extreme(known(rows, "b"), Math.min),
        t: extreme(known(rows, "t"), Math.min),
        d: known(rows, "b"),
        s: rows.map(({ s }) => s).reduce((least, s) => (s < least ? s : least), rows[0]?.s ?? ""),
      },
    ],
  }),
  fc.constant<Step>({
    text: "summarize b = tolong(avg(b)), s = tostring(sumif(b, a > 0)), d = pack_array(count(), countif(isnull(b))), t = maxif(t, a > 0) by a",
    apply: (rows) =>
      grouped(rows, ({ a }) => a).map(([a, members]) => {
        const values = known(members, "b");
        const counted = a !== null && a > 0;
        return {
          a,
          b: values.length === 0 ? null : Math.trunc(total(values) / values.length) + 0,
          s: String(counted ? total(values) : 0),
          d: [members.length, members.length - values.length],
          t: counted ? extreme(known(members, "t"), Math.max) : null,
        };
      }),
  }),
  fc.constant<Step>({
    text: "make-series d = sum(b) default = -9 on a from -3 to 4 step 2 by s | project a = array_length(a), b = long(null), s, t = datetime(null), d",
    apply: (rows) =>
      grouped(
        rows.filter(({ a }) => a !== null && a >= -3 && a < 5),
        ({ s }) => s,
      ).map(([s, members]) => ({
        ...nothing,
        a: 4,
        s,
        d: [-3, -1, 1, 3].map((from) => {
          const slot = members.filter(({ a }) => a !== null && a >= from && a < from + 2);
          return slot.length === 0 ? -9 : total(known(slot, "b"));
        }),
      })),
  }),
);

const other: readonly (readonly [b: number | null, s: string, c: number])[] = [
  [1, "x", 10],
  [1, "X", 11],
  [null, "", 12],
  [2, "a b", 13],
];
const otherText = 'datatable(b:long, s:string, c:long)[1, "x", 10, 1, "X", 11, long(null), "", 12, 2, "a b", 13]';

function joined(kind: string, on: string, meets: (row: Row, key: (typeof other)[number]) => boolean): Step {
  const isSemi = kind.endsWith("semi") || kind.endsWith("anti");
  const columns =
    isSemi && kind.startsWith("right")
      ? "a = c, b, s, t = datetime(null), d = dynamic(null)"
      : "a = coalesce(c, a), b, s, t, d";
  return {
    text: `join kind=${kind} (${otherText}) on ${on} | project ${isSemi && kind.startsWith("left") ? "a, b, s, t, d" : columns}`,
    apply: (rows) => {
      const pairs = rows.flatMap((row) => other.filter((key) => meets(row, key)).map((key) => ({ row, key })));
      const matched = pairs.map(({ row, key }): Row => ({ ...row, a: key[2] }));
      const left = rows.filter((row) => !pairs.some((pair) => pair.row === row));
      const right = other.filter((key) => !pairs.some((pair) => pair.key === key));
      const missing = right.map(([, , c]): Row => ({ ...nothing, a: c }));
      const own = (keys: typeof other): Row[] => keys.map(([b, s, c]) => ({ ...nothing, a: c, b, s }));
      switch (kind) {
        case "leftouter":
          return [...matched, ...left];
        case "rightouter":
          return [...matched, ...missing];
        case "fullouter":
          return [...matched, ...left, ...missing];
        case "leftsemi":
          return rows.filter((row) => !left.includes(row));
        case "leftanti":
          return left;
        case "rightsemi":
          return own(other.filter((key) => !right.includes(key)));
        case "rightanti":
          return own(right);
        default:
          return matched;
      }
    },
  };
}

const joins: fc.Arbitrary<Step> = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(
        "inner",
        "leftouter",
        "rightouter",
        "fullouter",
        "leftsemi",
        "leftanti",
        "rightsemi",
        "rightanti",
      ),
      fc.constantFrom("b", "s", "b, s"),
    )
    .map(([kind, on]) =>
      joined(kind, on, (row, [b, s]) => (!on.includes("b") || row.b === b) && (!on.includes("s") || row.s === s)),
    ),
  fc.constant<Step>({
    text: `lookup kind=leftouter (${otherText} | where c > 10) on b, s | extend a = coalesce(c, a) | project-away c`,
    apply: (rows) =>
      rows.map((row) => ({ ...row, a: other.find(([b, s, c]) => c > 10 && b === row.b && s === row.s)?.[2] ?? row.a })),
  }),
  fc.constant<Step>({
    text: `where s in ((${otherText} | where c != 10 | project s))`,
    apply: (rows) => rows.filter(({ s }) => ["X", "", "a b"].includes(s)),
  }),
  fc.constant<Step>({
    text: `union (${otherText} | project a = c, s)`,
    apply: (rows) => [...rows, ...other.map(([, s, c]) => ({ ...nothing, a: c, s }))],
  }),
);

type Key = (left: Row, right: Row) => number;

function ordered(name: "a" | "b" | "t" | "s" | "d", descending: boolean, nullsFirst: boolean): Key {
  return (left, right) => {
    const [x, y] = name === "d" ? [asText(left.d), asText(right.d)] : [left[name], right[name]];
    if (x === null || y === null) return x === y ? 0 : (x === null) === nullsFirst ? -1 : 1;
    return (x < y ? -1 : x > y ? 1 : 0) * (descending ? -1 : 1);
  };
}

const then =
  (...keys: readonly Key[]): Key =>
  (left, right) =>
    keys.map((key) => key(left, right)).find((order) => order !== 0) ?? 0;

/** Every column, so that equal rows only are left to chance. */
const whole = then(...(["a", "b", "s", "t", "d"] as const).map((name) => ordered(name, false, true)));
const wholeText = "a asc, b asc, s asc, t asc, tostring(d) asc";

const orders: fc.Arbitrary<Step> = fc.oneof(
  fc
    .tuple(
      fc.constantFrom("a", "b", "t"),
      fc.constantFrom("asc", "desc"),
      fc.constantFrom("first", "last"),
      fc.integer({ min: 0, max: 4 }),
    )
    .map(([name, direction, nulls, count]) => ({
      text: `sort by ${name} ${direction} nulls ${nulls}, ${wholeText} | take ${count}`,
      apply: (rows: readonly Row[]) =>
        rows.toSorted(then(ordered(name, direction === "desc", nulls === "first"), whole)).slice(0, count),
    })),
  fc.constant<Step>({
    text: `sort by ${wholeText} | extend a = row_number(), b = prev(b), s = strcat(s, next(s)), d = row_cumsum(coalesce(b, 0), s != prev(s)) | extend d = todynamic(d)`,
    apply: (rows) => {
      const inOrder = rows.toSorted(whole);
      let sum = 0;
      return inOrder.map((row, index) => {
        const before = inOrder[index - 1];
        sum = (index === 0 || row.s !== before?.s ? 0 : sum) + (row.b ?? 0);
        return { ...row, a: index + 1, b: before?.b ?? null, s: `${row.s}${inOrder[index + 1]?.s ?? ""}`, d: sum };
      });
    },
  }),
  fc.constant<Step>({
    text: `partition hint.strategy=native by s (sort by ${wholeText} | take 1)`,
    apply: (rows) => grouped(rows, ({ s }) => s).map(([, members]) => members.toSorted(whole)[0]!),
  }),
);

function tableText(rows: readonly Row[]): string {
  const values = rows.map(({ a, b, s, t, d }) => [
    `long(${a})`,
    `long(${b})`,
    JSON.stringify(s),
    t === null ? "datetime(null)" : `datetime(${dateOf(t).toISOString()})`,
    `dynamic(${JSON.stringify(d)})`,
  ]);
  return `datatable(a:long, b:long, s:string, t:datetime, d:dynamic)[${values.map((row) => row.join(", ")).join(", ")}]`;
}

test("random pipes over texts, times and dynamic values give what the naive evaluator gives", async () => {
  await using holder = await openTestEngine();
  const runs = process.env["HOLDFAST_TEST_LONG"] === "1" ? 8_000 : 150;
  const seed = Number(process.env["HOLDFAST_TEST_SEED"] ?? 20_260_116);
  const steps = fc.array(fc.oneof(texts, times, numbers, dynamics, summaries, joins, orders), {
    minLength: 1,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(rowOf, { maxLength: 7 }), steps, async (table, pipe) => {
      const text = `${tableText(table)} | ${pipe.map((step) => step.text).join(" | ")} | project a, b, s, t = tolong((t - datetime(2020-01-01)) / 1m), d`;
      const expected = pipe
        .reduce<readonly Row[]>((rows, step) => step.apply(rows), table)
        .map(({ a, b, s, t, d }) => JSON.stringify([a, b, s, t, d]));
      const { tables } = await holder.engine.query(text);
      const got = tables[0]!.rows.map((row) =>
        JSON.stringify(row.map((value, index) => toJsonValue(value, tables[0]!.columns[index]!.type))),
      );
      assert.deepEqual(got.sort(), expected.sort(), text);
    }),
    { numRuns: runs, seed },
  );
});
