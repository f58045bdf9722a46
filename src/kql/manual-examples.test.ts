// What the service's manual prints for its own examples, rule by rule: each case is a rule that an
// example shows, in other words and with other values.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { toJsonValue, type JsonValue } from "./json-result.ts";
import { openTestEngine, type TestEngine } from "./testing/engine.ts";

let holder: TestEngine;

before(async () => {
  holder = await openTestEngine();
});

after(() => holder[Symbol.asyncDispose]());

async function table(text: string): Promise<{ readonly columns: string[]; readonly rows: JsonValue[][] }> {
  const { tables } = await holder.engine.query(text);
  const { columns, rows } = tables[0]!;
  return {
    columns: columns.map(({ name }) => name),
    rows: rows.map((row) => row.map((value, index) => toJsonValue(value, columns[index]!.type))),
  };
}

const row = async (text: string): Promise<JsonValue[]> => (await table(`print ${text}`)).rows[0]!;

describe("texts", () => {
  test("indexof casts what is no text, and its length counts anew from behind each occurrence", async () => {
    const calls = [
      `indexof(1234567, 5, 1, 4)`,
      `indexof("abcabcabc", "bc", -3)`,
      `indexof("abcdefgabcdefg", "cde", 1, 10, 2)`,
      `indexof("abcdefg", "cde", 1, 2)`,
    ];
    assert.deepEqual(await row(calls.join(", ")), [4, 7, 9, -1]);
  });

  test("indexof_regex looks from a place on, for so long, for the nth match; matches do not overlap", async () => {
    const calls = [
      `indexof_regex("abcabc", @"a.c")`,
      `indexof_regex("abcabcdefg", @"a.c", 0, 9, 2)`,
      `indexof_regex("abcabc", @"a.c", 1, -1, 2)`,
      `indexof_regex("ababaa", @"a.a", 0, -1, 2)`,
      `indexof_regex("abcabc", @"a|ab", -1)`,
      `indexof_regex("ä12 ä345", @"\\d+", 2, -1, 2)`,
    ];
    assert.deepEqual(await row(calls.join(", ")), [0, 3, -1, -1, null, 5]);
  });

  test("replace_strings: an earlier word has what a later one shares with it, and what is no text replaces nothing", async () => {
    const calls = [
      `replace_strings("This is", dynamic(["This", "is"]), dynamic(["This", "was"]))`,
      `replace_strings("This is", dynamic(["is", "This"]), dynamic(["was", "This"]))`,
      `replace_strings("This is", dynamic(["This", "is"]), dynamic([5, "was"]))`,
    ];
    assert.deepEqual(await row(calls.join(", ")), ["This was", "Thwas was", "This was"]);
  });

  test("extract_all takes groups by their names", async () => {
    const call = `extract_all(@"(?P<first>\\w)(\\w+)(?P<last>\\w)", dynamic(["last", 2, "first"]), "abcd-xyz")`;
    assert.deepEqual(await row(call), [
      [
        ["d", "bc", "a"],
        ["z", "y", "x"],
      ],
    ]);
  });

  test("replace, the old name of replace_regex, takes the text last", async () => {
    assert.deepEqual(await row(`replace("b+", "X", "abbbc"), replace_regex("abbbc", "b+", "X")`), ["aXc", "aXc"]);
  });

  test("tohex of a whole number of 32 bits has eight digits", async () => {
    assert.deepEqual(await row(`tohex(int(-256)), tohex(-256), tohex(256, 20)`), [
      "ffffff00",
      "ffffffffffffff00",
      "0000000000000100",
    ]);
  });
});

describe("parse", () => {
  const parsed = async (source: string, rest: string): Promise<JsonValue[]> =>
    (await table(`print s = ${source} | ${rest} | project-away s`)).rows[0]!;

  test("parse-kv without delimiters takes the word behind a key, and a value in quotes whole", async () => {
    const line = `"10:34 [INFO] Id:458, Machine:Node001, Text: 'it \\\\' is up'"`;
    const keys = "as (Text:string, Id:long, Machine:string)";
    assert.deepEqual(await parsed(line, `parse-kv s ${keys} with (quote="'", escape='\\\\')`), [
      "it ' is up",
      458,
      "Node001",
    ]);
    assert.deepEqual(await parsed(`"Id 5 Machine: Id"`, `parse-kv s ${keys}`), ["", 5, "Id"]);
  });

  test("parse-kv by a pattern takes its groups as key and value, and the first of a key", async () => {
    const pattern = `@'"([\\w ]+)\\s*:\\s*([^"]*)"'`;
    const line = `'"a url: x?h=1", "b: 7", "b: 8"'`;
    assert.deepEqual(await parsed(line, `parse-kv s as (['a url']:string, b:int, c:string) with (regex=${pattern})`), [
      "x?h=1",
      7,
      "",
    ]);
  });

  test("kind=relaxed takes the number before a star, or nothing", async () => {
    const rest = `parse kind=relaxed s with "a=" a:long "," * "b=" b:long *`;
    assert.deepEqual(await parsed(`"a=1, b=2 c"`, rest), [1, 2]);
    assert.deepEqual(await parsed(`"a=x, b=y c"`, rest), [null, null]);
  });
});

describe("series", () => {
  test("a number beside a series in a dot product stands for a series of it", async () => {
    assert.deepEqual(
      await row("series_dot_product(dynamic([1, 2, 4]), 3), series_dot_product(2, dynamic([1, 2]))"),
      [21, 6],
    );
  });

  test("what is filled between whole numbers is whole, and edges that shall stay are not filled", async () => {
    const filled = [
      "series_fill_linear(dynamic([36, null, null, 11]))",
      "series_fill_linear(dynamic([null, 1.5, null, 2.5, null]), double(null), false)",
    ];
    assert.deepEqual(await row(filled.join(", ")), [
      [36, 27, 19, 11],
      [null, 1.5, 2, 2.5, null],
    ]);
  });

  test("series_seasonal finds the period; a series too short for one has zeros", async () => {
    const [found, none] = await row(
      "series_seasonal(dynamic([2,5,3,4,3,2,1,2,3,4,3,2,1,2,3,4,3,2,1,2,3,4,3,2,1])), series_seasonal(dynamic([1,3,5,2,4,6,1,3,5,2,4,6]))",
    );
    assert.deepEqual(found, [1, 2, 3, 4, 3, 2, 1, 2, 3, 4, 3, 2, 1, 2, 3, 4, 3, 2, 1, 2, 3, 4, 3, 2, 1]);
    assert.deepEqual(
      none,
      Array.from({ length: 12 }, () => 0),
    );
  });

  test("make-series kind=nonempty gives its defaults where there is no row; without it there is no series", async () => {
    const series = (kind: string): string =>
      `datatable(t:long, v:real)[] | make-series ${kind} s = avg(v) default = 1.0 on t from 0 to 3 step 1`;
    assert.deepEqual((await table(series("kind=nonempty"))).rows, [
      [
        [1, 1, 1],
        [0, 1, 2],
      ],
    ]);
    assert.deepEqual((await table(series(""))).rows, []);
  });
});

test("a key on a path is set in the bags along it, which are made where they are missing", async () => {
  assert.deepEqual(await row(`bag_set_key(dynamic({"k": {"p": 1, "q": 2}}), "$.k.p", "x")`), [{ k: { p: "x", q: 2 } }]);
  assert.deepEqual(await row(`bag_set_key(dynamic({"k": 1}), "$.l.p", 2)`), [{ k: 1, l: { p: 2 } }]);
});

test("a union's name for one type of a column gives way to a column that has it", async () => {
  const { columns, rows } = await table(
    "union (print x = 1), (print x = int(2)), (print x_long = 3) | sort by x_int asc",
  );
  assert.deepEqual(columns, ["x_long1", "x_int", "x_long"]);
  assert.deepEqual(rows.map((cells) => cells.filter((cell) => cell !== null)).toSorted(), [[1], [2], [3]]);
});

test("children of an H3 cell are at most five levels below it", async () => {
  assert.deepEqual(await row("isnull(geo_h3cell_children(geo_point_to_h3cell(1, 1, 9), 15))"), [true]);
});

test("the beta density is no number outside its range", async () => {
  assert.deepEqual(await row("isnan(beta_pdf(1.5, 10.0, 20.0)), isnan(beta_pdf(0.1, -1.0, 20.0))"), [true, true]);
});

test("a missing text of a join stands in the partition of the empty one", async () => {
  const joined = `print b = 1 | join kind=rightouter (datatable(b:long, c:string)[1, "y", 2, "z"]) on b`;
  const partitioned = `datatable(a:long, s:string)[7, ""] | join kind=fullouter (print a = 8) on a | partition hint.strategy=native by s (sort by a1 desc | take 1)`;
  assert.equal((await table(joined)).rows.length, 2);
  assert.deepEqual((await table(`${partitioned} | project a1`)).rows, [[8]]);
});

describe("new_activity_metrics", () => {
  const users = `let Users = datatable(t:datetime, u:dynamic, d:string)[datetime(2019-11-01), dynamic([0,2,3,4]), "x", datetime(2019-11-02), dynamic([0,1,3,4,5]), "x", datetime(2019-11-03), dynamic([0,2,4,5]), "y"] | mv-expand id = u to typeof(long)`;
  const call = "new_activity_metrics(id, t, datetime(2019-11-01), datetime(2019-11-04), 1d";
  const counts = async (rest: string): Promise<JsonValue[][]> => {
    const shown = "project format_datetime(from_t, 'dd'), format_datetime(to_t, 'dd')";
    const columns = "dcount_new_values, dcount_retained_values, dcount_churn_values, retention_rate";
    return (await table(`${users}; Users | evaluate ${call}${rest}) | ${shown}, ${columns}`)).rows;
  };

  test("who was first seen in a window is looked for in each window from there on", async () => {
    assert.deepEqual((await counts("")).slice(0, 7), [
      ["01", "01", 4, 4, 0, 1],
      ["01", "02", 2, 3, 1, 0.75],
      ["01", "03", 1, 3, 1, 0.75],
      ["01", "04", 0, 0, 4, 0],
      ["02", "02", 2, 2, 0, 1],
      ["02", "03", 0, 1, 1, 0.5],
      ["02", "04", 0, 0, 2, 0],
    ]);
  });

  test("one cohort, each dimension by itself, without the ids of a look-back", async () => {
    assert.deepEqual(await counts(", datetime(2019-11-02), d, (Users | where id == 1)"), [
      ["02", "02", 1, 1, 0, 1],
      ["02", "03", 0, 0, 1, 0],
      ["02", "04", 0, 0, 1, 0],
      ["02", "02", 0, 0, 0, "NaN"],
      ["02", "03", 4, 0, 0, "NaN"],
      ["02", "04", 0, 0, 0, "NaN"],
    ]);
  });
});

test("hints are advice: what they say of the way changes nothing, even if no engine knows it", async () => {
  const text = "range n from 1 to 4 step 1 | summarize hint.strategy = partitioned count() by even = n % 2 == 0";
  assert.equal((await table(text)).rows.length, 2);
  await assert.rejects(table("print a = 1 | join kind=partitioned (print a = 1) on a"), /no join kind 'partitioned'/);
});
