// Steps that look at all rows: groups, joins, orders and windows.

import fc from "fast-check";
import { type Row, type Step, asText, binTo, nothing, total } from "./value-rows.ts";

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
const median = (values: readonly number[]): number | null => values[Math.ceil(values.length / 2) - 1] ?? null;

export const summaries: fc.Arbitrary<Step> = fc.oneof(
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

export const joins: fc.Arbitrary<Step> = fc.oneof(
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

export const orders: fc.Arbitrary<Step> = fc.oneof(
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
