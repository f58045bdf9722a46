import assert from "node:assert/strict";
import { test } from "node:test";
import type { Dynamic } from "../values/dynamic.ts";
import { seriesDecompositions } from "./series-decompose.ts";

const { series_decompose, series_decompose_anomalies, series_decompose_forecast } = seriesDecompositions;

const lists = (value: Dynamic | undefined): number[][] =>
  (value as Dynamic[]).map((item) => (item as Dynamic[]).map(Number));

/** Two weeks' shape by half days, as the service's manual shows it, with the period 14 in it. */
const traffic: Dynamic[] = [
  80, 139, 87, 110, 68, 54, 50, 51, 53, 133, 86, 141, 97, 156, 94, 149, 95, 140, 77, 61, 50, 54, 47, 133, 72, 152, 94,
  148, 105, 162, 101, 160, 87, 63, 53, 55, 54, 151, 103, 189, 108, 183, 113, 175, 113, 178, 90, 71, 62, 62, 65, 165,
  109, 181, 115, 182, 121, 178, 114, 170,
];

/** A week of hours that differ by day and by hour, five times over. */
const weeks: number[] = Array.from({ length: 24 * 7 * 5 }, (_, hour) => {
  const night = Math.floor((hour % 24) / 10);
  return (Math.floor(hour / 24) % 7 >= 5 ? 10 : 15) - night * night;
});

test("the season is found: half-days repeat every week", () => {
  const [, seasonal = []] = lists(series_decompose!([traffic]));
  assert.equal(seasonal[0], seasonal[14]);
  assert.equal(seasonal[0], 105);
  assert.notEqual(seasonal[0], seasonal[7]);
});

test("the parts add up to the series, with every kind of trend", () => {
  for (const trend of ["avg", "linefit", "none"]) {
    const [baseline = [], seasonal = [], level = [], residual = []] = lists(series_decompose!([traffic, 14n, trend]));
    traffic.forEach((value, index) => {
      assert.ok(Math.abs(baseline[index]! - seasonal[index]! - level[index]!) < 1e-9);
      assert.ok(Math.abs(Number(value) - baseline[index]! - residual[index]!) < 1e-9);
    });
  }
});

test("values that stand out of a weekly season are marked with their direction", () => {
  const disturbed = weeks.map((value, hour) => value + (hour === 300 ? 8 : hour === 500 ? -8 : Math.sin(hour * hour)));
  const [flags = []] = lists(series_decompose_anomalies!([disturbed, 2.5]));
  const marked = flags.flatMap((flag, hour) => (flag === 0 ? [] : [[hour, flag]]));
  assert.deepEqual(marked, [
    [300, 1],
    [500, -1],
  ]);
});

test("a forecast learns nothing from its last points and goes on with season and line", () => {
  const rising = Array.from({ length: 40 }, (_, index) => index + (index % 4 === 0 ? 10 : 0));
  const blind = rising.map((value, index) => (index < 32 ? value : 1_000_000));
  const [forecast = []] = lists(series_decompose_forecast!([blind, 8n, 4n]));
  rising.slice(32).forEach((value, index) => assert.ok(Math.abs(forecast[32 + index]! - value) < 5));
});

test("empty series, constant series and nulls have their decomposition", () => {
  assert.deepEqual(lists(series_decompose!([[]])), [[], [], [], []]);
  assert.deepEqual(lists(series_decompose!([[5, 5, 5, 5, 5, 5, 5, 5, 5]]))[3], [0, 0, 0, 0, 0, 0, 0, 0, 0]);
  const [baseline, , , residual] = series_decompose!([[1, null, 3], 0n]) as Dynamic[][];
  assert.deepEqual(
    [baseline, residual],
    [
      [2, 2, 2],
      [-1, null, 1],
    ],
  );
  assert.equal(series_decompose!([null]), null);
});

test("what we cannot do as the service does is refused", () => {
  assert.throws(() => series_decompose!([traffic, 14n, "cubic"]), /trend 'cubic'/);
  assert.throws(() => series_decompose_anomalies!([traffic, 1.5, 14n, "avg", 5n]), /test points/);
  assert.throws(() => series_decompose!([Array.from({ length: 9_000 }, () => 1)]), /9000|8192/);
});
