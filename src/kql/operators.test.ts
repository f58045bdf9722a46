// Operators and functions whose answers are known from the service's documentation or follow from it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { toJsonValue, type JsonValue } from "./json-result.ts";
import { openTestEngine, type TestEngine } from "./testing/engine.ts";

let holder: TestEngine;

before(async () => {
  const columns = [
    { name: "At", type: "datetime" },
    { name: "Computer", type: "string" },
  ] as const;
  const tables = [
    { name: "Events", columns: [...columns, { name: "Level", type: "long" } as const] },
    { name: "Beats", columns: [...columns, { name: "Version", type: "string" } as const] },
    { name: "Costs", columns: [{ name: "Amount", type: "real" } as const] },
  ];
  holder = await openTestEngine([{ name: "db", tables, functions: [] }], {}, [
    `CREATE TABLE "Events" AS SELECT TIMESTAMP '2026-01-15' AS "At", 'a' AS "Computer", 3::BIGINT AS "Level"`,
    `CREATE TABLE "Beats" AS SELECT TIMESTAMP '2026-01-15' AS "At", 'a b' AS "Computer", '1.0' AS "Version"`,
    `CREATE TABLE "Costs" AS SELECT 1.5::DOUBLE AS "Amount"`,
  ]);
});

after(() => holder[Symbol.asyncDispose]());

async function results(text: string): Promise<{ readonly name: string; readonly rows: JsonValue[][] }[]> {
  const { tables } = await holder.engine.query(text);
  return tables.map(({ name, columns, rows }) => ({
    name,
    rows: rows.map((row) => row.map((value, index) => toJsonValue(value, columns[index]!.type))),
  }));
}

const rows = async (text: string): Promise<JsonValue[][]> => (await results(text))[0]!.rows;

describe("scan", () => {
  const events = `datatable(n:long, e:string)[1, "A", 2, "Start", 3, "B", 4, "D", 5, "Stop", 6, "C", 7, "Start", 8, "E", 9, "Stop"] | sort by n asc`;

  test("numbers the sequences that steps make, and leaves out what lies between them", async () => {
    const steps = `step s1: e == "Start"; step s2: e !in ("Start", "Stop") and n - s1.n <= 5; step s3: e == "Stop";`;
    assert.deepEqual(await rows(`${events} | scan with_match_id = m with (${steps}) | project n, m`), [
      [2, 0],
      [3, 0],
      [4, 0],
      [5, 0],
      [7, 1],
      [8, 1],
      [9, 1],
    ]);
  });

  test("gives the last row of each sequence when it is asked for that", async () => {
    const steps = `step s1 output = none: e == "Start"; step s2 output = last: e != "Stop" and e != "Start"; step s3 output = none: e == "Stop";`;
    assert.deepEqual(await rows(`${events} | scan with (${steps}) | project n`), [[4], [8]]);
  });
});

describe("several results", () => {
  test("fork gives one for each branch, under its name", async () => {
    assert.deepEqual(await results("range x from 1 to 3 step 1 | fork (count) largest = (top 1 by x)"), [
      { name: "PrimaryResult", rows: [[3]] },
      { name: "largest", rows: [[3]] },
    ]);
  });

  test("facet counts the values of its columns", async () => {
    const [, counts] = await results(`datatable(a:string)["x", "x", "y"] | facet by a with (take 1)`);
    assert.deepEqual(counts!.rows.toSorted(), [
      ["x", 2],
      ["y", 1],
    ]);
  });
});

describe("find", () => {
  test("looks where the columns are, and packs what not all tables have", async () => {
    const found = await rows('find where Computer has "a" | sort by source_ asc');
    assert.deepEqual(found, [
      ["Beats", "2026-01-15T00:00:00.0000000Z", "a b", { Version: "1.0" }],
      ["Events", "2026-01-15T00:00:00.0000000Z", "a", { Level: 3 }],
    ]);
  });
});

describe("partition", () => {
  test("runs the query in braces once for each key", async () => {
    const query =
      "range k from 1 to 3 step 1 | partition by k { range y from 1 to 5 step 1 | where y <= k | summarize sum(y) }";
    assert.deepEqual((await rows(query)).flat().toSorted(), [1, 3, 6]);
  });
});

describe("values", () => {
  test("not-a-number stands next to null in both directions", async () => {
    const table = `datatable(g:string, x:real)["a", 1.5, "b", real(nan), "c", real(null), "d", real(+inf), "e", real(-inf)]`;
    assert.deepEqual(await rows(`${table} | sort by x desc | summarize make_list(g)`), [[["d", "a", "e", "b", "c"]]]);
    assert.deepEqual(await rows(`${table} | sort by x asc | summarize make_list(g)`), [[["c", "b", "e", "a", "d"]]]);
  });

  test("an element that is a text is no number to mv-expand", async () => {
    const table = `print d = dynamic([1, "5", 2.5])`;
    assert.deepEqual(await rows(`${table} | mv-expand d to typeof(real)`), [[1], [null], [2.5]]);
    assert.deepEqual(await rows(`${table} | mv-expand d to typeof(string)`), [["1"], ["5"], ["2.5"]]);
  });

  test("XML becomes bags, arrays and texts", async () => {
    const xml = `<e a="1"><!-- no --><d n="x">1 &lt; 2</d><d n="y"/><![CDATA[<raw>]]></e>`;
    assert.deepEqual(await rows(`print parse_xml('${xml}'), parse_xml('<e><f></e>'), parse_xml('<e/>')`), [
      [
        { e: { "@a": "1", d: [{ "@n": "x", "#text": "1 < 2" }, { "@n": "y" }], "#cdata-section": "<raw>" } },
        null,
        { e: null },
      ],
    ]);
  });

  test("outliers have the scores that the service gives", async () => {
    const values = "dynamic([-3, 2.4, 15, 3.9, 5, 6, 4.5, 5.2, 3, 4, 5, 16, 7, 5, 5, 4])";
    const [[scores]] = (await rows(`print series_outliers(${values})`)) as [[number[]]];
    const found = scores.flatMap((score, index) => (score === 0 ? [] : [[index, Number(score.toFixed(9))]]));
    assert.deepEqual(found, [
      [0, -1.904078548],
      [1, -0.10021466],
      [2, 1.336195473],
      [11, 1.670244341],
    ]);
  });

  test("sketches of groups merge into those of the whole", async () => {
    const groups = "range x from 1 to 100 step 1 | summarize h = hll(x % 7), t = tdigest(x) by x % 2";
    const merged = `${groups} | summarize h = hll_merge(h), t = tdigest_merge(t)`;
    assert.deepEqual(await rows(`${merged} | project dcount_hll(h), percentile_tdigest(t, 90, typeof(long))`), [
      [7, 90],
    ]);
  });

  test("a Fourier transform and its inverse give the series back", async () => {
    const [[values]] = (await rows(
      "print s = dynamic([3, 1, 4, 1, 5, 9, 2]) | extend (r, i) = series_fft(s) | project a = series_ifft(r, i)",
    )) as [[number[]]];
    assert.deepEqual(values.map(Math.round), [3, 1, 4, 1, 5, 9, 2]);
  });
});
