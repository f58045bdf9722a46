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

describe("reduce", () => {
  test("texts that share their words become one pattern, as in the service's manual", async () => {
    const foo = 'range x from 1 to 10 step 1 | project str = strcat("foo", "Z", tostring(x))';
    assert.deepEqual(await rows(`${foo} | reduce by str`), [["others", 10, ""]]);
    assert.deepEqual(await rows(`${foo} | reduce by str with characters="Z"`), [["foo*", 10, "fooZ1"]]);
    const learned = 'range x from 1 to 1000 step 1 | project t = strcat("MachineLearningX", tostring(x % 10))';
    assert.deepEqual(await rows(`${learned} | reduce by t with threshold=0.001, characters="X"`), [
      ["MachineLearning*", 1000, "MachineLearningX0"],
    ]);
    const cities = `datatable(c:string)["San Diego", "San Jose", "San Rafael", "Moscow", "Moscow", "Paris", "Ulm", "Ulm", "Oslo", "Rome"]`;
    assert.deepEqual(await rows(`${cities} | reduce by c with threshold=0.15 | sort by Count desc, Pattern desc`), [
      ["others", 3, ""],
      ["San *", 3, "San Diego"],
      ["Ulm", 2, "Ulm"],
      ["Moscow", 2, "Moscow"],
    ]);
  });

  test("kind=source puts the pattern beside each row, and separators may be signs of a regular expression", async () => {
    const jobs = `datatable(id:long, m:string)[1, "a-]1 done", 2, "a-]2 done", 3, "x"]`;
    assert.deepEqual(await rows(`${jobs} | reduce kind=source by m with characters="-]^\\\\" | sort by id asc`), [
      [1, "a-]1 done", "a-]1 done", 1, "a-]1 done"],
      [2, "a-]2 done", "a-]2 done", 1, "a-]2 done"],
      [3, "x", "x", 1, "x"],
    ]);
    assert.deepEqual(await rows(`${jobs} | reduce by m with threshold=0.5`), [
      ["a-]* done", 2, "a-]1 done"],
      ["others", 1, ""],
    ]);
    assert.deepEqual(await rows("datatable(m:string)[] | reduce by m"), []);
  });
});

describe("activity_metrics", () => {
  const seen = `datatable(id:string, t:datetime, d:string)["a", datetime(2020-01-01 05:00), "x", "b", datetime(2020-01-01), "y", "a", datetime(2020-01-02), "x", "c", datetime(2020-01-02 01:00), "y", "c", datetime(2020-01-02 02:00), "y", "d", datetime(2020-01-04), "x"]`;
  const call = "activity_metrics(id, t, datetime(2020-01-01), datetime(2020-01-05), 1d";
  const at = (date: number): string => `2020-01-0${date}T00:00:00.0000000Z`;

  test("compares each window with the one before; without one before the rates are not numbers", async () => {
    assert.deepEqual(await rows(`${seen} | evaluate ${call})`), [
      [at(1), 2, 2, "NaN", "NaN"],
      [at(2), 2, 1, 0.5, 0.5],
      [at(4), 1, 1, "NaN", "NaN"],
    ]);
  });

  test("each combination of dimensions is counted by itself", async () => {
    assert.deepEqual(await rows(`${seen} | evaluate ${call}, d)`), [
      [at(1), "x", 1, 1, "NaN", "NaN"],
      [at(2), "x", 1, 0, 1, 0],
      [at(4), "x", 1, 1, "NaN", "NaN"],
      [at(1), "y", 1, 1, "NaN", "NaN"],
      [at(2), "y", 1, 1, 0, 1],
    ]);
  });
});

describe("top-nested with others", () => {
  const sales = `datatable(g:string, h:string, v:long)["a", "x", 1, "a", "y", 5, "b", "x", 7, "c", "z", 1, "d", "z", 2]`;

  test("what a level leaves out is one row, empty in the levels below", async () => {
    const text = `${sales} | top-nested 2 of g with others="rest" by S=sum(v), top-nested of h by count() | sort by g asc, h asc`;
    assert.deepEqual(await rows(text), [
      ["a", 6, "x", 1],
      ["a", 6, "y", 1],
      ["b", 7, "x", 1],
      ["rest", 3, "", null],
    ]);
  });

  test("levels below may have others of their own; where nothing is left out there is no row", async () => {
    const text = `${sales} | top-nested 2 of g with others="rest" by sum(v), top-nested 1 of h with others="more" by max(v) | sort by g asc, h asc`;
    assert.deepEqual(await rows(text), [
      ["a", 6, "more", 1],
      ["a", 6, "y", 5],
      ["b", 7, "x", 7],
      ["rest", 3, "more", 2],
    ]);
    assert.deepEqual(await rows(`print g="a" | top-nested 5 of g with others="rest" by count()`), [["a", 1]]);
  });
});

test("local times keep fractions of a second", async () => {
  const text = `print datetime_utc_to_local(datetime(2015-12-31 23:59:59.9), "US/Eastern"), datetime_local_to_utc(datetime(2015-12-31 23:59:59.9), "US/Eastern")`;
  assert.deepEqual(await rows(text), [["2015-12-31T18:59:59.9000000Z", "2016-01-01T04:59:59.9000000Z"]]);
});

test("a bag is expanded whatever its keys look like", async () => {
  const bag = `dynamic({"a\\"b":1,"c\\\\d":2,"e$.x":3,"s/l":4,"t~u":5,"":6,"*":7})`;
  const found = await rows(
    `print d=${bag} | mv-expand d | extend k=tostring(bag_keys(d)[0]) | sort by k asc | project k, d[k]`,
  );
  assert.deepEqual(found, [
    ["", 6],
    ["*", 7],
    ['a"b', 1],
    ["c\\d", 2],
    ["e$.x", 3],
    ["s/l", 4],
    ["t~u", 5],
  ]);
});

describe("what the real engine was seen to do", () => {
  test("a star of arg_max and take_any means the columns that are not named beside it", async () => {
    const columns = async (call: string): Promise<JsonValue> =>
      (await rows(`print t = now(), a = 1, b = 2, c = 3 | summarize ${call} | getschema | project ColumnName`)).flat();
    assert.deepEqual(await columns("arg_max(t, b, *) by c"), ["c", "t", "b", "a"]);
    assert.deepEqual(await columns("arg_max(t, *, a)"), ["t", "a", "b", "c"]);
    assert.deepEqual(await columns("arg_max(t, a, a)"), ["t", "a", "a1"]);
    assert.deepEqual(await columns("take_any(b, *)"), ["b", "t", "a", "c"]);
  });

  test("a star inside a word of search stands for anything between whole words", async () => {
    const texts = 'datatable(s:string)["Lab PC", "xLab PC", "lab-1.pc", "LabPCs", "labxpc"]';
    const found = async (term: string): Promise<JsonValue[]> =>
      (await rows(`${texts} | search "${term}" | project s`)).map(([s]) => s ?? null);
    assert.deepEqual(await found("Lab*PC"), ["Lab PC", "lab-1.pc", "labxpc"]);
    assert.deepEqual(await found("*Lab*PC"), ["Lab PC", "xLab PC", "lab-1.pc", "labxpc"]);
    assert.deepEqual(await found("Lab*PC*"), ["Lab PC", "lab-1.pc", "LabPCs", "labxpc"]);
  });

  test("a word that begins or ends with a sign finds itself behind letters, but half a term is not found", async () => {
    const address = "https://host/subscriptions/0000/resourcegroups/test.rg01?api-version=2021";
    const found = async (source: string, test: string): Promise<JsonValue> => {
      const print = `print s = '${source}', w = '${/'(.*)'/.exec(test)?.[1]}', n = 1`;
      const operator = test.split(" ")[0];
      const [row] = await rows(`${print} | extend a = s ${test}, b = s ${operator} w, c = s ${operator} strcat(w, '')`);
      assert.deepEqual(row?.slice(4), [row?.[3], row?.[3]], `${source} ${test}`);
      return row?.[3] ?? null;
    };
    for (const [test, holds] of [
      ["has 'resourcegroups/test.rg01'", true],
      ["has '/resourcegroups/test.rg01?'", true],
      ["has '/resource'", false],
      ["hasprefix '/resource'", true],
      ["hassuffix 'groups/'", true],
      ["has 'groups/'", false],
      ["has_cs '.RG01'", false],
    ] as const) {
      assert.equal(await found(address, test), holds, test);
    }
    assert.equal(await found("user@example.org", "has '@'"), true);
    assert.equal(await found("user@example.org", "has '@exam'"), false);
    assert.equal(await found("Grüße.exe", "has '.exe'"), true);
    assert.equal(await found("a.exeé", "has '.exe'"), false);
    assert.deepEqual(
      await rows("print s = 'run.exe' | where s has_any (dynamic(['x', '.exe'])) and s has_all ('.', 'run')"),
      [["run.exe"]],
    );
  });

  test("kind=regex stops anywhere, is greedy, and takes what looks like the type of a column", async () => {
    const parsed = (text: string, pattern: string) =>
      rows(`print s="${text}" | parse kind=regex s with ${pattern} | project-away s`);
    assert.deepEqual(await parsed("aXcYc", '"a" v "c"'), [["XcY"]]);
    assert.deepEqual(await parsed("abcbd", '"a" v "b"'), [["bc"]]);
    assert.deepEqual(await parsed("aXc\\n", '"a" v "c"'), [["X"]]);
    assert.deepEqual(await parsed("n=27x", '"n=" n:long'), [[27]]);
    assert.deepEqual(await parsed("v=12", '"v=" v:bool'), [[null]]);
    assert.deepEqual(await parsed("v=true", '"v=" v:bool'), [[true]]);
    assert.deepEqual(await rows(`print s="abcbd" | parse s with "a" v "b" | project v`), [[""]]);
    await assert.rejects(rows(`print s="v=1" | parse-where kind=relaxed s with "v=" v:long`), /kind=relaxed/);
  });

  test("an element that is a fraction or a text is no bool", async () => {
    const found = await rows(`print a=dynamic([1, 2.5, -2.5, "2", true, null, 0]) | mv-expand a to typeof(bool)`);
    assert.deepEqual(found.flat(), [true, null, null, null, true, null, false]);
  });

  test("the digest of nothing is nothing, and seconds have fractions", async () => {
    assert.deepEqual(await rows(`print hash_md5(""), hash_sha1(tostring(int(null))), hash_sha256("")`), [["", "", ""]]);
    assert.deepEqual(
      await rows("print make_timespan(1, 12, 30, 55.123), make_datetime(2017, 10, 1, 12, 10, 0.1234567)"),
      [["1.12:30:55.1230000", "2017-10-01T12:10:00.1234567Z"]],
    );
  });
});
