import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openLogsUnderTest, type LogsUnderTest } from "../../logs/testing/open-logs.ts";
import { judge, type Combination } from "../../monitor/rules/evaluate.ts";
import { evaluationQuery, keyColumns } from "../../monitor/rules/rule-query.ts";
import { legacyCriterion, type LegacyTrigger } from "./legacy-criterion.ts";

const values = `datatable(TimeGenerated:datetime, Computer:string, AggregatedValue:real)[
  datetime(2026-01-01 00:00), "a", 95, datetime(2026-01-01 00:05), "a", 10, datetime(2026-01-01 00:10), "a", 96,
  datetime(2026-01-01 00:15), "a", 97, datetime(2026-01-01 00:00), "b", 91, datetime(2026-01-01 00:05), "b", 92,
  datetime(2026-01-01 00:10), "b", 93, datetime(2026-01-01 00:00), "c", 1]`;

describe("metric triggers of the first generation", () => {
  let logs: LogsUnderTest;
  before(async () => {
    logs = await openLogsUnderTest(Date.UTC(2026, 0, 1, 1));
  });
  after(() => logs[Symbol.asyncDispose]());

  const met = async (trigger: LegacyTrigger): Promise<unknown[]> => {
    const criterion = legacyCriterion(values, trigger);
    const count = keyColumns(criterion).length;
    const rows = await logs.rows(evaluationQuery(criterion, 3_600_000, false));
    const measured = rows.map((row) => ({
      period: Number(row["HoldfastPeriod"]),
      keys: Array.from({ length: count }, (_, at) => String(row[`HoldfastKey${at}`])),
      value: Number(row["HoldfastValue"]),
    }));
    return judge(criterion, measured)
      .filter(({ isMet }: Combination) => isMet)
      .map(({ keys, value }) => [...keys, value])
      .sort();
  };
  const trigger = (
    metricTriggerType: "Consecutive" | "Total",
    threshold: number,
    metricColumn?: string,
  ): LegacyTrigger => ({
    thresholdOperator: "GreaterThan",
    threshold,
    metricTrigger: { thresholdOperator: "GreaterThan", threshold: 90, metricTriggerType, metricColumn },
  });

  test("breaches are counted in all, for each value of the column", async () => {
    assert.deepEqual(await met(trigger("Total", 2, "Computer")), [
      ["a", 3],
      ["b", 3],
    ]);
    assert.deepEqual(await met(trigger("Total", 5)), [[6]]);
  });

  test("breaches in a row are not those with a pause", async () => {
    assert.deepEqual(await met(trigger("Consecutive", 2, "Computer")), [["b", 3]]);
    assert.deepEqual(await met(trigger("Consecutive", 1, "Computer")), [
      ["a", 2],
      ["b", 3],
    ]);
  });

  test("a threshold below nothing is met by those that broke none", async () => {
    assert.deepEqual(await met({ ...trigger("Total", 1, "Computer"), thresholdOperator: "LessThan" }), [["c", 0]]);
  });
});
