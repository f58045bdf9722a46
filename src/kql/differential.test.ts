// Random pipes over random tables, against a naive evaluator that walks arrays of rows. The evaluator
// knows nothing of plans or SQL; each operator is a few lines over plain values.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { toJsonValue, type JsonValue } from "./json-result.ts";
import { openTestEngine } from "./testing/engine.ts";

type Cell = number | string | null;
type Row = Readonly<Record<string, Cell>>;

interface Pipe {
  readonly text: string;
  /** undefined: the rows have no order that could be compared. */
  readonly apply: (rows: readonly Row[]) => readonly Row[];
  readonly orders: boolean;
}

const isNull = (value: Cell | undefined): value is null | undefined => value === null || value === undefined;

/** Nulls first going up, last going down; texts by code unit. */
function compare(left: Cell, right: Cell): number {
  if (isNull(left) || isNull(right)) return isNull(left) ? (isNull(right) ? 0 : -1) : 1;
  return left < right ? -1 : left > right ? 1 : 0;
}

const numberColumns = ["a", "b"] as const;
const columns = ["a", "b", "s"] as const;
const small = fc.integer({ min: -3, max: 3 });
const rowOf = fc.record({
  a: fc.option(small, { nil: null }),
  b: fc.option(small, { nil: null }),
  s: fc.constantFrom("", "x", "X", "xy", "a b", "ä"),
});

/** Conditions with KQL's rules: a null equals nothing, differs from everything, and is not smaller. */
const condition: fc.Arbitrary<{ readonly text: string; readonly holds: (row: Row) => boolean | null }> = fc.letrec<{
  readonly all: { readonly text: string; readonly holds: (row: Row) => boolean | null };
  readonly leaf: { readonly text: string; readonly holds: (row: Row) => boolean | null };
}>((tie) => ({
  leaf: fc.oneof(
    fc
      .tuple(fc.constantFrom(...numberColumns), fc.constantFrom("==", "!=", "<", "<=", ">", ">="), small)
      .map(([name, operator, value]) => ({
        text: `${name} ${operator} ${value < 0 ? `(${value})` : value}`,
        holds: (row: Row): boolean | null => {
          const cell = row[name];
          if (isNull(cell)) return operator === "==" ? false : operator === "!=" ? true : null;
          const order = compare(cell, value);
          return (
            {
              "==": order === 0,
              "!=": order !== 0,
              "<": order < 0,
              "<=": order <= 0,
              ">": order > 0,
              ">=": order >= 0,
            }[operator] ?? null
          );
        },
      })),
    fc
      .tuple(
        fc.constantFrom("==", "!=", "contains", "startswith", "=~", "has"),
        fc.constantFrom("x", "X", "b", "ä", ""),
      )
      .map(([operator, value]) => ({
        text: `s ${operator} "${value}"`,
        holds: (row: Row): boolean => {
          const cell = String(row["s"]);
          const [low, wanted] = [cell.toLowerCase(), value.toLowerCase()];
          switch (operator) {
            case "==":
              return cell === value;
            case "!=":
              return cell !== value;
            case "contains":
              return low.includes(wanted);
            case "startswith":
              return low.startsWith(wanted);
            case "=~":
              return low === wanted;
            default:
              return wanted === "" || low.split(/[^\p{L}\p{N}]+/u).includes(wanted);
          }
        },
      })),
    fc.constantFrom(...numberColumns).map((name) => ({
      text: `isnull(${name})`,
      holds: (row: Row): boolean => isNull(row[name]),
    })),
    fc
      .tuple(fc.constantFrom(...numberColumns), fc.array(small, { minLength: 1, maxLength: 3 }))
      .map(([name, values]) => ({
        text: `${name} in (${values.map((value) => (value < 0 ? `-${-value}` : value)).join(", ")})`,
        holds: (row: Row): boolean => !isNull(row[name]) && values.includes(Number(row[name])),
      })),
  ),
  all: fc.oneof(
    { maxDepth: 2 },
    tie("leaf"),
    fc.tuple(tie("all"), fc.constantFrom("and", "or"), tie("all")).map(([left, word, right]) => ({
      text: `(${left.text} ${word} ${right.text})`,
      holds: (row: Row): boolean | null => {
        const [a, b] = [left.holds(row), right.holds(row)];
        const decisive = word === "or";
        if (a === decisive || b === decisive) return decisive;
        return a === null || b === null ? null : !decisive;
      },
    })),
    tie("leaf").map(({ text, holds }) => ({
      text: `not(${text})`,
      holds: (row: Row): boolean | null => ((held) => (held === null ? null : !held))(holds(row)),
    })),
  ),
})).all;

const bin = (value: Cell | undefined, size: number): Cell =>
  isNull(value) ? null : Math.floor(Number(value) / size) * size;

function groups(
  rows: readonly Row[],
  key: (row: Row) => Cell,
): Map<string, { readonly key: Cell; readonly rows: Row[] }> {
  const found = new Map<string, { readonly key: Cell; readonly rows: Row[] }>();
  for (const row of rows) {
    const value = key(row);
    const name = JSON.stringify(value);
    const group = found.get(name) ?? { key: value, rows: [] };
    group.rows.push(row);
    found.set(name, group);
  }
  return found;
}

const present = (rows: readonly Row[], name: string): number[] =>
  rows.flatMap((row) => (isNull(row[name]) ? [] : [Number(row[name])]));

/** Steps that keep the columns a, b and s. */
const step: fc.Arbitrary<Pipe> = fc.oneof(
  condition.map(({ text, holds }): Pipe => ({
    text: `where ${text}`,
    orders: false,
    apply: (rows) => rows.filter((row) => holds(row) === true),
  })),
  fc.tuple(fc.constantFrom("+", "-", "*"), small).map(([operator, value]): Pipe => ({
    text: `extend a = a ${operator} (${value})`,
    orders: false,
    apply: (rows) =>
      rows.map((row) => {
        const cell = row["a"];
        const number = Number(cell);
        return {
          ...row,
          a: isNull(cell)
            ? null
            : operator === "+"
              ? number + value
              : operator === "-"
                ? number - value
                : number * value,
        };
      }),
  })),
  fc.integer({ min: 1, max: 3 }).map((size): Pipe => ({
    text: `extend b = bin(b, ${size})`,
    orders: false,
    apply: (rows) => rows.map((row) => ({ ...row, b: bin(row["b"], size) })),
  })),
  condition.map(({ text, holds }): Pipe => ({
    text: `extend s = iff(${text}, strcat(s, "!"), s)`,
    orders: false,
    apply: (rows) => rows.map((row) => (holds(row) === true ? { ...row, s: `${row["s"]}!` } : row)),
  })),
  fc.constant<Pipe>({
    text: "distinct a, b, s",
    orders: false,
    apply: (rows) =>
      [...groups(rows, (row) => JSON.stringify([row["a"], row["b"], row["s"]])).values()].map(
        ({ rows: [first] }) => first!,
      ),
  }),
  fc.constantFrom("a", "s").map((name): Pipe => ({
    text: `summarize a = count(), b = sum(b) by s = tostring(${name}) | extend a = tolong(a)`,
    orders: false,
    apply: (rows) =>
      [...groups(rows, (row) => (isNull(row[name]) ? "" : String(row[name]))).values()].map(
        ({ key, rows: members }) => ({
          a: members.length,
          b: present(members, "b").reduce((sum, value) => sum + value, 0),
          s: key,
        }),
      ),
  })),
  fc.constant<Pipe>({
    text: "summarize a = min(a), b = max(b) by s",
    orders: false,
    apply: (rows) =>
      [...groups(rows, (row) => row["s"] ?? "").values()].map(({ key, rows: members }) => {
        const [low, high] = [present(members, "a"), present(members, "b")];
        return {
          a: low.length === 0 ? null : Math.min(...low),
          b: high.length === 0 ? null : Math.max(...high),
          s: key,
        };
      }),
  }),
  fc.constantFrom("inner", "leftouter", "leftsemi", "leftanti").map((kind): Pipe => ({
    text: `join kind=${kind} (datatable(b:long, c:long)[0, 10, 1, 11, 1, 12, long(null), 13]) on b | project a, b, s`,
    orders: false,
    apply: (rows) => {
      const keys: Cell[] = [0, 1, 1, null];
      return rows.flatMap((row) => {
        const matches = keys.filter((key) => key === (row["b"] ?? null)).length;
        if (kind === "leftsemi") return matches > 0 ? [row] : [];
        if (kind === "leftanti") return matches > 0 ? [] : [row];
        return Array.from({ length: kind === "leftouter" ? Math.max(matches, 1) : matches }, () => row);
      });
    },
  })),
  fc.constant<Pipe>({
    text: "union (datatable(a:long, s:string)[7, 'u'])",
    orders: false,
    apply: (rows) => [...rows, { a: 7, b: null, s: "u" }],
  }),
  fc.tuple(fc.constantFrom("asc", "desc"), fc.integer({ min: 0, max: 4 })).map(([direction, count]): Pipe => ({
    text: `sort by a ${direction}, b ${direction}, s ${direction} | take ${count}`,
    orders: true,
    apply: (rows) => {
      const sign = direction === "asc" ? 1 : -1;
      const key = (left: Row, right: Row): number =>
        columns.map((name) => compare(left[name] ?? null, right[name] ?? null)).find((order) => order !== 0) ?? 0;
      return rows.toSorted((left, right) => sign * key(left, right)).slice(0, count);
    },
  })),
);

function tableText(rows: readonly Row[]): string {
  const value = (cell: Cell | undefined): string =>
    isNull(cell) ? "long(null)" : typeof cell === "string" ? JSON.stringify(cell) : String(cell);
  return `datatable(a:long, b:long, s:string)[${rows.map((row) => columns.map((name) => value(row[name])).join(", ")).join(", ")}]`;
}

test("random pipes over random tables give what the naive evaluator gives", async () => {
  await using holder = await openTestEngine();
  const runs = process.env["HOLDFAST_TEST_LONG"] === "1" ? 5_000 : 250;
  await fc.assert(
    fc.asyncProperty(
      fc.array(rowOf, { maxLength: 8 }),
      fc.array(step, { minLength: 1, maxLength: 5 }),
      async (table, steps) => {
        const text = `${tableText(table)} | ${steps.map((item) => item.text).join(" | ")} | project a, b, s`;
        const expected = steps
          .reduce<readonly Row[]>((rows, item) => item.apply(rows), table)
          .map((row) => columns.map((name) => row[name] ?? null));
        const { tables } = await holder.engine.query(text);
        const got = tables[0]!.rows.map((row) =>
          row.map((value, index): JsonValue => toJsonValue(value, tables[0]!.columns[index]!.type)),
        );
        const lines = (rows: readonly (readonly (JsonValue | Cell)[])[]): string[] =>
          rows.map((row) => JSON.stringify(row));
        const inOrder = steps.at(-1)?.orders === true;
        assert.deepEqual(
          inOrder ? lines(got) : lines(got).sort(),
          inOrder ? lines(expected) : lines(expected).sort(),
          text,
        );
      },
    ),
    { numRuns: runs, seed: 20_260_115 },
  );
});
