import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HoldfastError } from "../lib/errors.ts";
import {
  allowOnly,
  filterPredicate,
  filterTime,
  parseFilter,
  requiredEquals,
  type Filter,
  type FilterValue,
} from "./filter.ts";

type Row = Readonly<Record<string, FilterValue>>;

function holds(text: string, row: Row): boolean {
  return filterPredicate<Row>(parseFilter(text), (from, field) => from[field])(row);
}

test("equality ignores the case of text and the order of terms", () => {
  const row = { name: "Vault-1", location: "eastus" };
  assert.equal(holds("name eq 'vault-1' and location eq 'EastUS'", row), true);
  assert.equal(holds("name eq 'vault-2' or location eq 'eastus'", row), true);
  assert.equal(holds("name ne 'vault-1'", row), false);
  assert.equal(holds("not (name eq 'vault-1')", row), false);
});

test("and binds tighter than or", () => {
  assert.equal(holds("a eq '1' or a eq '2' and b eq '9'", { a: "1", b: "0" }), true);
  assert.equal(holds("(a eq '1' or a eq '2') and b eq '9'", { a: "1", b: "0" }), false);
});

test("an empty filter accepts everything", () => {
  assert.equal(holds("", {}), true);
  assert.equal(holds("  ", {}), true);
});

test("a quote inside a text is doubled, and nothing else ends it", () => {
  assert.equal(holds("name eq 'O''Brien'", { name: "o'brien" }), true);
  assert.equal(holds("name eq 'x'' or name eq ''y'", { name: "y" }), false);
});

test("text functions: startswith, endswith, contains, and substringof with its arguments the other way round", () => {
  const row = { name: "backup-vault" };
  assert.equal(holds("startswith(name, 'BACK')", row), true);
  assert.equal(holds("substringof('vault', name)", row), true);
  assert.equal(holds("substringof(name, 'vault')", row), false);
  assert.equal(holds("startswith(name, 'x') eq false", row), true);
});

test("times compare as times: bare, quoted, and in Azure Backup's 12-hour form", () => {
  const row = { at: Date.UTC(2026, 0, 31, 0, 30) };
  assert.equal(holds("at ge 2026-01-31T00:00:00.123456 and at le 2026-01-31T01:00:00Z", row), true);
  assert.equal(holds("at ge '2026-01-31 12:00:00 AM' and at lt '2026-01-31 12:00:00 PM'", row), true);
  assert.equal(filterTime("2026-01-31 12:00:00 AM"), Date.UTC(2026, 0, 31));
  assert.equal(filterTime("2026-01-31 12:05:09 PM"), Date.UTC(2026, 0, 31, 12, 5, 9));
  assert.equal(filterTime("2026-01-31T02:00:00+02:00"), Date.UTC(2026, 0, 31));
  assert.equal(filterTime("yesterday"), undefined);
});

test("only what every match must equal is pushed down", () => {
  assert.equal(requiredEquals(parseFilter("resourceType eq 'a/b' and name eq 'x'"), "resourcetype"), "a/b");
  assert.equal(requiredEquals(parseFilter("resourceType eq 'a/b' or name eq 'x'"), "resourceType"), undefined);
  assert.equal(requiredEquals(parseFilter("not (resourceType eq 'a/b')"), "resourceType"), undefined);
});

test("a field that the list does not have is named", () => {
  assert.throws(() => allowOnly(parseFilter("colour eq 'red'"), ["name"]), /'colour'.*Supported here: name/);
});

for (const [text, why] of [
  ["name", /ends where a comparison/],
  ["name eq", /ends where a value/],
  ["name is 'x'", /'is' at position/],
  ["(name eq 'x'", /'\)' is missing/],
  ["name eq 'x", /could not be read/],
  ["name eq 'x' name eq 'y'", /was not expected/],
  ["x".repeat(9000), /at most 8192/],
  [`${"(".repeat(60)}a eq 'b'${")".repeat(60)}`, /nested deeper/],
] as const) {
  test(`a bad filter says what is wrong: ${text.slice(0, 30)}`, () => {
    assert.throws(
      () => parseFilter(text),
      (error) =>
        error instanceof HoldfastError && error.code === "InvalidFilterInQueryString" && why.test(error.message),
    );
  });
}

test("whatever text comes, the parser answers with a filter or with its own error", () => {
  const piece = fc.constantFrom(
    "and",
    "or",
    "not",
    "(",
    ")",
    "'",
    "''",
    ",",
    "eq",
    "ge",
    "name",
    "true",
    "12",
    "2026-01-01T00:00:00",
    " ",
    "startswith(",
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 30 }).map((parts) => parts.join(" ")),
  );
  fc.assert(
    fc.property(text, (input) => {
      try {
        parseFilter(input);
      } catch (error) {
        assert.ok(error instanceof HoldfastError, `${input}: ${String(error)}`);
      }
    }),
    { numRuns: 2000 },
  );
});

test("what is printed from a tree parses to the same tree", () => {
  const field = fc.constantFrom("name", "location", "tagName");
  const leaf: fc.Arbitrary<Filter> = fc.record({
    kind: fc.constant("compare" as const),
    field,
    operator: fc.constantFrom("eq" as const, "ne" as const, "gt" as const, "le" as const),
    value: fc.oneof(fc.string(), fc.boolean(), fc.integer()),
  });
  const tree = fc.letrec<{ node: Filter }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.record({ kind: fc.constantFrom("and" as const, "or" as const), left: tie("node"), right: tie("node") }),
      fc.record({ kind: fc.constant("not" as const), of: tie("node") }),
    ),
  })).node;
  fc.assert(
    fc.property(tree, (filter) => assert.deepEqual(parseFilter(print(filter)), structuredClone(filter))),
    { numRuns: 500 },
  );
});

function print(filter: Filter): string {
  switch (filter.kind) {
    case "compare":
      return `${filter.field} ${filter.operator} ${typeof filter.value === "string" ? `'${filter.value.replaceAll("'", "''")}'` : String(filter.value)}`;
    case "not":
      return `not (${print(filter.of)})`;
    case "and":
    case "or":
      return `(${print(filter.left)}) ${filter.kind} (${print(filter.right)})`;
    default:
      return "";
  }
}
