// Random pipes over rows with texts, times and dynamic values, against a naive evaluator: times, text
// operators, arrays and bags, joins of every kind, orders of null, series and windows. Each step is one
// line of KQL beside a few lines over plain values.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { toJsonValue } from "./json-result.ts";
import { openTestEngine } from "./testing/engine.ts";
import { texts, times, numbers, dynamics } from "./testing/value-expressions.ts";
import { type Row, rowOf, tableText } from "./testing/value-rows.ts";
import { summaries, joins, orders } from "./testing/value-tables.ts";

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
