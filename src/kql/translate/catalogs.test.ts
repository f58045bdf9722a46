import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { analyze } from "../syntax/analyze.ts";
import type { DatabaseSchema } from "../types.ts";
import { keepCatalogs } from "./catalogs.ts";

const limits = { maxQueryLength: 1000, maxNestingDepth: 50 };
const withTable = (name: string): DatabaseSchema[] => [
  { name: "db", tables: [{ name, columns: [{ name: "n", type: "long" }] }], functions: [] },
];

describe("the catalogues of the thread", () => {
  test("what the analyser remembers is used again, and begins anew after some queries with the same answers", () => {
    const catalogFor = keepCatalogs({ kept: 2, queriesOfMemory: 3 });
    const request = { catalogKey: "1", databases: withTable("Jobs") };
    const seen = Array.from({ length: 7 }, () => catalogFor(request).globals);
    assert.equal(seen[1], seen[0]);
    assert.notEqual(seen[2], seen[1]);
    assert.equal(new Set(seen).size, 3);
    for (const globals of seen) {
      assert.equal(analyze("Jobs | where n > 1", globals, limits).objection, undefined);
      assert.match(analyze("Jobs | where m > 1", globals, limits).objection?.message ?? "", /m/);
    }
  });

  test("the one that was used longest ago makes room", () => {
    const catalogFor = keepCatalogs({ kept: 2, queriesOfMemory: 100 });
    const load = (key: string): unknown => catalogFor({ catalogKey: key, databases: withTable(key) });
    const [a, b] = [load("A"), load("B")];
    assert.equal(load("A"), a);
    load("C");
    assert.equal(load("A"), a);
    assert.notEqual(load("B"), b);
  });
});
