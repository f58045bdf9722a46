// What sources hear about times, and that conditions on times mean what they say.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createEngine, formatDatetime, openDuckDb, toJsonValue, type Engine, type TimeBounds } from "../index.ts";

const now = Date.UTC(2026, 0, 15, 12);
const columns = [
  { name: "TimeGenerated", type: "datetime" as const },
  { name: "Text", type: "string" as const },
];
const databases = [{ name: "db", tables: ["A", "B"].map((name) => ({ name, columns })), functions: [] }];

describe("times that a query asks for", () => {
  let engine: Engine;
  let close: () => void;
  const heard = new Map<string, ReadonlyMap<string, TimeBounds>>();
  before(async () => {
    const duckdb = await openDuckDb({ memoryLimitMiB: 256 });
    const connection = await duckdb.connect();
    const rows = `('2026-01-14 23:59:59.999999', 'a-b'), ('2026-01-15', 'Größe a-b'), ('2026-01-15 00:00:00.000001', 'éa-b'), ('2026-01-15 11:30:00', 'A-B.')`;
    for (const name of ["A", "B"]) {
      await connection.run(`CREATE TABLE ${name} ("TimeGenerated" TIMESTAMP, "Text" VARCHAR)`);
      await connection.run(`INSERT INTO ${name} VALUES ${rows}`);
    }
    connection.closeSync();
    engine = createEngine({
      duckdb,
      clock: { now: () => now },
      catalog: {
        databases: () => Promise.resolve(databases),
        source: (_database, table, bounds) => {
          heard.set(table, bounds);
          return {
            from: table,
            columns: new Map([
              ["TimeGenerated", { sql: '"TimeGenerated"', timestamp: true, notNull: true }],
              ["Text", { sql: '"Text"' }],
            ]),
          };
        },
      },
    });
    close = () => duckdb.closeSync();
  });
  after(async () => {
    await engine[Symbol.asyncDispose]();
    close();
  });

  const boundsFor = async (query: string, table = "A"): Promise<readonly (string | undefined)[]> => {
    heard.clear();
    await engine.explain(query);
    const { from, to } = heard.get(table)?.get("TimeGenerated") ?? {};
    return [from, to].map((ticks) => (ticks === undefined ? undefined : formatDatetime(ticks).slice(0, 16)));
  };

  const told: readonly (readonly [query: string, from?: string, to?: string])[] = [
    ["A | where TimeGenerated > ago(1h)", "2026-01-15T11:00"],
    ["A | where now() - 1d >= TimeGenerated", undefined, "2026-01-14T12:00"],
    [
      "A | where Text == 'x' and TimeGenerated between (datetime(2026-01-01) .. 2d)",
      "2026-01-01T00:00",
      "2026-01-03T00:00",
    ],
    ["A | where TimeGenerated > startofday(ago(7d)) | where TimeGenerated > ago(30d)", "2026-01-08T00:00"],
    ["let start = ago(1d); A | extend x = 1 | project-rename t = TimeGenerated | where t >= start", "2026-01-14T12:00"],
    ["union A, B | where TimeGenerated >= todatetime('2026-01-10')", "2026-01-10T00:00"],
    ["A | join kind=leftouter B on Text | where TimeGenerated > ago(1h)", "2026-01-15T11:00"],
    ["A | where TimeGenerated > ago(1h) or Text == 'x'"],
    ["A | summarize TimeGenerated = max(TimeGenerated) by Text | where TimeGenerated > ago(1h)"],
    ["A | top 5 by TimeGenerated | where TimeGenerated > ago(1h)"],
    ["A | join kind=rightouter B on Text | where TimeGenerated > ago(1h)"],
  ];
  for (const [query, from, to] of told) {
    test(query, async () => {
      assert.deepEqual(await boundsFor(query), [from, to]);
    });
  }

  test("the other side of a left join is read whole", async () => {
    assert.deepEqual(await boundsFor("A | join kind=leftouter B on Text | where TimeGenerated1 > ago(1h)", "B"), [
      undefined,
      undefined,
    ]);
  });

  const count = async (condition: string): Promise<unknown> => {
    const { tables } = await engine.query(`A | where ${condition} | count`);
    return toJsonValue(tables[0]?.rows[0]?.[0] ?? null, "long");
  };

  test("a time between two microseconds parts the stored ones rightly, from either side", async () => {
    const between = "datetime(2026-01-15 00:00:00.0000005)";
    assert.equal(await count(`TimeGenerated <= ${between}`), 2);
    assert.equal(await count(`TimeGenerated < ${between}`), 2);
    assert.equal(await count(`TimeGenerated > ${between}`), 2);
    assert.equal(await count(`${between} <= TimeGenerated`), 2);
    assert.equal(await count(`${between} > TimeGenerated`), 2);
    assert.equal(await count(`TimeGenerated <= endofday(ago(1d))`), 1);
  });

  test("starts and ends of units are the same for a literal as for a column", async () => {
    const moments = ["2024-02-29 13:00:00", "2026-01-01", "2025-12-31 23:59:59.999999", "0001-01-08"];
    const calls = ["day", "week", "month", "year"].flatMap((unit) =>
      ["startof", "endof"].flatMap((name) => ["", ", 1", ", -1"].map((offset) => `${name}${unit}(t${offset})`)),
    );
    for (const moment of moments) {
      const known = calls.map((text, at) => `k${at} = ${text.replace("(t", `(datetime(${moment})`)}`);
      const stored = calls.map((text, at) => `s${at} = ${text}`);
      const { tables } = await engine.query(
        `print t = datetime(${moment}) | mv-expand n = dynamic([1]) to typeof(long) | extend t = t + n * 0s | project ${[...known, ...stored].join(", ")}`,
      );
      const row = tables[0]?.rows[0] ?? [];
      assert.deepEqual(row.slice(0, calls.length), row.slice(calls.length), moment);
    }
  });

  test("a term ends at letters of any alphabet", async () => {
    assert.equal(await count("Text has 'a-b'"), 3);
    assert.equal(await count("Text has_cs 'a-b'"), 2);
    assert.equal(await count("Text hassuffix 'a-b'"), 4);
    assert.equal(await count("Text hasprefix 'a-b'"), 3);
    assert.equal(await count("Text has_any (dynamic(['a-b', 'x/y']))"), 3);
  });
});
