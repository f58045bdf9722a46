import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { HoldfastError } from "../lib/errors.ts";
import { literal, positionIn, type DatabaseSchema, type QueryOptions } from "./index.ts";
import { toJsonValue, type JsonValue } from "./json-result.ts";
import { openTestEngine, type TestEngine } from "./testing/engine.ts";

const events: DatabaseSchema = {
  name: "main",
  tables: [
    {
      name: "Events",
      columns: [
        { name: "TimeGenerated", type: "datetime" },
        { name: "Computer", type: "string" },
        { name: "computer", type: "long" },
        { name: 'odd"name; DROP TABLE Events', type: "long" },
        { name: "Props", type: "dynamic" },
      ],
    },
  ],
  functions: [
    { name: "Recent", parameters: "hours:int=1", body: "Events | where TimeGenerated > ago(hours * 1h)" },
    { name: "Twice", parameters: "x:long", body: "x * 2" },
    { name: "Broken", parameters: "", body: "Events | where Nowhere == 1" },
  ],
};

const other: DatabaseSchema = {
  name: "other",
  tables: [{ name: "Events", columns: [{ name: "Computer", type: "string" }] }],
  functions: [],
};

const setUp = [
  `CREATE TABLE "Events" ("TimeGenerated" TIMESTAMP, "Computer" VARCHAR, "computer " BIGINT, "odd""name; DROP TABLE Events" BIGINT, "Props" JSON)`,
  `INSERT INTO "Events" VALUES ('2026-01-15 11:30:00', 'a', 1, 10, '{"x":{"y":5}}'), ('2026-01-15 08:00:00', 'b', 2, 20, NULL), ('2026-01-14 08:00:00', NULL, 3, 30, '{"x":1}')`,
];

let holder: TestEngine;

before(async () => {
  // DuckDB folds the case of names: the second column is called otherwise there.
  holder = await openTestEngine([events, other], { translateMilliseconds: 20_000, maxRows: 1_000 }, [
    ...setUp.map((statement) => statement.replaceAll("computer ", "computer_2")),
    `CREATE VIEW counted AS SELECT 1 AS one`,
  ]);
});

after(() => holder[Symbol.asyncDispose]());

async function rows(text: string, options?: QueryOptions): Promise<JsonValue[][]> {
  const { tables } = await holder.engine.query(text, options);
  const table = tables.at(-1)!;
  return table.rows.map((row) => row.map((value, index) => toJsonValue(value, table.columns[index]!.type)));
}

async function refusal(text: string, signal?: AbortSignal): Promise<HoldfastError> {
  try {
    await holder.engine.query(text, {}, signal);
  } catch (error) {
    assert.ok(error instanceof HoldfastError, String(error));
    return error;
  }
  return assert.fail(`${text.slice(0, 60)} was answered`);
}

describe("tables of the catalogue", () => {
  test("are filtered by time, and missing strings are empty", async () => {
    assert.deepEqual(await rows("Events | where TimeGenerated > ago(1d) | project Computer | order by Computer asc"), [
      ["a"],
      ["b"],
    ]);
    assert.deepEqual(await rows('Events | where Computer == "" | count'), [[1]]);
    assert.deepEqual(await rows("Events | where isempty(Computer) | project n = strlen(Computer)"), [[0]]);
  });

  test("are asked again at another moment, and with other rows", async () => {
    const recent = "Events | where TimeGenerated > ago(1h) | summarize n = count()";
    assert.deepEqual(await rows(recent), [[1]]);
    assert.deepEqual(await rows(recent, { now: Date.UTC(2026, 0, 15, 8, 30) }), [[2]]);
    const connection = await holder.duckdb.connect();
    await connection.run(`INSERT INTO "Events" ("TimeGenerated", "Computer") VALUES ('2026-01-15 11:45:00', 'new')`);
    assert.deepEqual(await rows(recent), [[2]]);
    await connection.run(`DELETE FROM "Events" WHERE "Computer" = 'new'`);
    connection.closeSync();
  });

  test("give paths into dynamic columns", async () => {
    assert.deepEqual(await rows("Events | where Props.x.y == 5 | project v = tolong(Props.x.y) + 1"), [[6]]);
  });

  test("a filter on a stored time reaches the scan as a plain comparison", async () => {
    const [sql] = await holder.engine.explain("Events | where TimeGenerated >= ago(1h) and Computer == 'a'");
    assert.match(
      sql!,
      /WHERE \("TimeGenerated" >= make_timestamp\(\d+\)\) AND \("Computer" = 'a'\)|WHERE \(\("TimeGenerated" >= make_timestamp\(\d+\)\) AND \("Computer" = 'a'\)\)/,
    );
  });

  test("saved functions run with arguments and defaults", async () => {
    assert.deepEqual(await rows("Recent() | count"), [[1]]);
    assert.deepEqual(await rows("Recent(24) | count"), [[2]]);
    assert.deepEqual(await rows("print x = Twice(21)"), [[42]]);
  });

  test("other databases are reached by workspace() and database()", async () => {
    assert.deepEqual(await rows('workspace("other").Events | count'), [[3]]);
    assert.deepEqual(await rows('union Events, workspace("other").Events | count'), [[6]]);
  });

  test("query parameters of the caller win over defaults", async () => {
    const text = "declare query_parameters(n:long = 1); print n";
    assert.deepEqual(await rows(text), [[1]]);
    assert.deepEqual(await rows(text, { parameters: new Map([["n", literal("long", 7n)]]) }), [[7]]);
  });

  test("now() is the moment of the request", async () => {
    assert.deepEqual(await rows("print now()", { now: Date.UTC(2030, 0, 1) }), [["2030-01-01T00:00:00.0000000Z"]]);
  });
});

describe("names and literals", () => {
  test("cannot leave their quotes", async () => {
    const hostile = `'; DROP TABLE "Events"; --`;
    assert.deepEqual(await rows(`print x = ${JSON.stringify(hostile)}`), [[hostile]]);
    assert.deepEqual(await rows(`print ['a"; DROP TABLE x; --'] = 1 | extend ["b' OR 1=1"] = 2`), [[1, 2]]);
    assert.deepEqual(await rows(`Events | summarize sum(['odd"name; DROP TABLE Events'])`), [[60]]);
    assert.deepEqual(await rows(`print d = parse_json(@'{"k\\"]": 1}') | project v = bag_keys(d)[0], w = d['k"]']`), [
      ['k"]', 1],
    ]);
    assert.deepEqual(await rows("Events | count"), [[3]]);
  });

  test("any text survives the way through SQL", async () => {
    for (const text of ["''", "\\", "$1", "%s", "\u0000 nul", "-- x", "/* */", "😀", '"']) {
      assert.deepEqual(await rows(`print x = ${JSON.stringify(text)}, y = strcat("<", ${JSON.stringify(text)}, ">")`), [
        [text, `<${text}>`],
      ]);
    }
  });

  test("a query cannot read files or settings of DuckDB", async () => {
    assert.equal((await refusal(`read_csv('/etc/passwd')`)).code, "SemanticError");
    assert.equal((await refusal(`externaldata(x:string) ['file:///etc/passwd']`)).code, "Unsupported");
  });
});

describe("refusals", () => {
  test("carry code, message and place", async () => {
    const error = await refusal("Events\n| where Computr == 'a'");
    assert.equal(error.code, "SemanticError");
    assert.match(error.message, /Did you mean 'Computer'/);
    assert.deepEqual(positionIn(error), { start: 15, length: 7, line: 2, column: 9 });
  });

  test("suggest the nearest table and function", async () => {
    assert.match((await refusal("Event | count")).message, /Did you mean 'Events'/);
    assert.match((await refusal("print strleng('x')")).message, /Did you mean 'strlen'/);
  });

  test("name the saved function in which the fault lies", async () => {
    assert.match((await refusal("Broken()")).message, /In the function Broken/);
  });

  test("say that a construct is not supported", async () => {
    const error = await refusal("Events | make-graph A --> B");
    assert.equal(error.code, "Unsupported");
    assert.equal(positionIn(error)?.start, 9);
  });

  test("management commands are no queries", async () => {
    assert.equal((await refusal(".show tables")).code, "Unsupported");
  });
});

describe("hostile queries", () => {
  test("thousands of brackets, long sums and long texts are refused at once, and the engine goes on", async () => {
    for (const bomb of [
      `print ${"(".repeat(5_000)}1${")".repeat(5_000)}`,
      `print ${Array.from({ length: 300_000 }, () => "1").join("+")}`,
      `print ${"-".repeat(60_000)}1`,
      `print "${"x".repeat(300_000)}"`,
    ]) {
      const error = await refusal(bomb);
      assert.ok(["QueryTooComplex", "SyntaxError"].includes(error.code), `${error.code}: ${error.message}`);
      assert.deepEqual(await rows("print 1"), [[1]]);
    }
  });

  test("a sum of three thousand terms ends, in an answer or in a clear refusal", async () => {
    const text = `print ${Array.from({ length: 3_000 }, () => "1").join("+")}`;
    try {
      assert.deepEqual(await rows(text), [[3_000]]);
    } catch (error) {
      assert.ok(error instanceof HoldfastError);
      assert.equal(error.code, "QueryTooComplex", error.message);
    }
    assert.deepEqual(await rows("print 1"), [[1]]);
  });

  test("functions that call functions cannot explode", async () => {
    const levels = Array.from(
      { length: 24 },
      (_, index) => `let f${index + 1} = (x:long) { f${index}(x) + f${index}(x) };`,
    );
    const error = await refusal(`let f0 = (x:long) { x }; ${levels.join(" ")} print f24(1)`);
    assert.equal(error.code, "QueryTooComplex");
  });

  test("arguments that stand in many places cannot explode", async () => {
    const tower = `${"f(".repeat(12)}1${")".repeat(12)}`;
    const error = await refusal(`let f = (x:long) { x + x + x + x }; print ${tower}`);
    assert.equal(error.code, "QueryTooComplex");
    assert.deepEqual(await rows(`print x = 1 ${"| extend x = x + x ".repeat(40)}`), [[2 ** 40]]);
  });

  test("lists that are asked for are bounded", async () => {
    assert.deepEqual(await rows("print array_length(repeat(1, 1000000000)), array_length(range(1, 1000000000, 1))"), [
      [1_048_576, 1_048_576],
    ]);
    assert.deepEqual(await rows("print strlen(strrep('a', 1000000000)), strlen(tohex(5, 1000000000))"), [[1024, 16]]);
    assert.equal((await refusal("print series_fft(repeat(1.0, 60000))")).code, "Unsupported");
  });

  test("more rows than allowed are cut off and reported", async () => {
    const result = await holder.engine.query("range x from 1 to 5000 step 1");
    assert.equal(result.tables[0]!.rows.length, 1_000);
    assert.equal(result.partial?.code, "ResourceLimit");
  });

  test("a cancelled query stops DuckDB", async () => {
    const controller = new AbortController();
    const pending = refusal(
      "range x from 1 to 100000000 step 1 | join kind=inner (range y from 1 to 100000000 step 1) on $left.x == $right.y | summarize dcount(x), dcount(y)",
      controller.signal,
    );
    setTimeout(() => controller.abort(), 200);
    assert.equal((await pending).code, "QueryCancelled");
    assert.deepEqual(await rows("print 1"), [[1]]);
  });
});

describe("results", () => {
  test("render is metadata", async () => {
    const result = await holder.engine.query(
      'Events | summarize count() by Computer | render piechart with (title="T")',
    );
    assert.deepEqual(result.render, { visualization: "piechart", properties: { title: "T" }, isSorted: false });
    const listed = await holder.engine.query(
      "print t=now(), a=1, ['b c']=2 | sort by t asc | render timechart with (ycolumns=a, ['b c'], ymin=-5, accumulate=true)",
    );
    assert.deepEqual(listed.render, {
      visualization: "timechart",
      properties: { ycolumns: ["a", "b c"], ymin: "-5", accumulate: "true" },
      isSorted: true,
    });
  });

  test("whole numbers that overflow wrap around", async () => {
    assert.deepEqual(await rows("print x = 9223372036854775807 | extend y = x + 1"), [
      ["9223372036854775807", "-9223372036854775808"],
    ]);
  });

  test("pivot learns its columns from the data, in order", async () => {
    const text =
      'datatable(k:string, c:string, v:long)["a","y",1,"a","x",2,"b","x",3] | evaluate pivot(c, sum(v)) | order by k asc';
    const { tables } = await holder.engine.query(text);
    assert.deepEqual(
      tables[0]!.columns.map(({ name }) => name),
      ["k", "x", "y"],
    );
    assert.deepEqual(await rows(text), [
      ["a", 2, 1],
      ["b", 3, 0],
    ]);
  });

  test("come one after another for several statements", async () => {
    const { tables } = await holder.engine.query("print 1; print 2");
    assert.deepEqual(
      tables.map(({ name }) => name),
      ["PrimaryResult", "Table_1"],
    );
  });

  test("materialize() is evaluated once", async () => {
    assert.deepEqual(
      await rows(
        "let r = materialize(range i from 1 to 3 step 1 | extend x = rand()); r | join kind=inner r on i | where x != x1 | count",
      ),
      [[0]],
    );
  });
});
