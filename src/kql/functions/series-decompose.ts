// A series as season, trend and rest. The season that is asked for is taken; without one it is the
// period at which the series resembles itself most, if it does so well enough.

import { toNumber, type Dynamic } from "../values/dynamic.ts";
import { fitLine } from "./series-fit.ts";
import { seasonal } from "./series.ts";
import { outliers } from "./series-transforms.ts";
import { notSupported } from "./unsupported.ts";
import { list, text, type RuntimeFunction, type RuntimeValue } from "./value.ts";

type Numbers = (number | null)[];

interface Decomposition {
  readonly baseline: Numbers;
  readonly seasonal: Numbers;
  readonly trend: Numbers;
  readonly residual: Numbers;
}

interface Wishes {
  /** -1: find it; 0: none. */
  readonly period: number;
  readonly trend: string;
  /** Values at the end that nothing is learned from. */
  readonly testPoints: number;
  readonly threshold: number;
}

const shortestPeriod = 4;
const longestSearched = 8_192;
const usualThreshold = 0.6;

/** The share of the sum of squares that a shift by the period explains, less where little overlaps. */
function likeness(deviations: Numbers, total: number, period: number): number {
  const overlap = deviations.length - period;
  let shared = 0;
  for (let index = 0; index < overlap; index += 1) {
    shared += (deviations[index] ?? 0) * (deviations[index + period] ?? 0);
  }
  return (shared / total) * Math.sqrt(deviations.length / overlap);
}

/** Half of the series at most, as whoever shows a period shows it twice. */
function detectPeriod(values: Numbers, threshold: number): number {
  if (values.length > longestSearched) {
    throw notSupported(`the search for a season in more than ${longestSearched} values; with its period given, it`);
  }
  const line = fitLine(values)?.line ?? [];
  const deviations = values.map((value, index) => (value === null ? null : value - (line[index] ?? 0)));
  const total = deviations.reduce<number>((sum, value) => sum + (value ?? 0) ** 2, 0);
  if (total < 1e-12) return 0;
  const longest = Math.floor(values.length / 2);
  const scores = Array.from({ length: longest + 2 }, (_, period) => likeness(deviations, total, period));
  let best = { period: 0, score: threshold };
  for (let period = shortestPeriod; period <= longest; period += 1) {
    const score = scores[period] ?? 0;
    const isPeak = score >= (scores[period - 1] ?? 0) && score >= (scores[period + 1] ?? 0);
    if (isPeak && score > best.score) best = { period, score };
  }
  return best.period;
}

const minus = (left: Numbers, right: Numbers): Numbers =>
  left.map((value, index) => (value === null ? null : value - (right[index] ?? 0)));

function trendOf(values: Numbers, kind: string, learned: number): Numbers {
  const known = values.slice(0, learned);
  if (kind === "linefit") {
    const fit = fitLine(known);
    return values.map((_, index) => (fit === undefined ? 0 : fit.interception + fit.slope * index));
  }
  const present = known.filter((value) => value !== null);
  const average = kind === "avg" ? present.reduce((sum, value) => sum + value, 0) / Math.max(present.length, 1) : 0;
  return values.map(() => average);
}

function decompose(values: Numbers, { period, trend, testPoints, threshold }: Wishes): Decomposition {
  const learned = Math.max(values.length - testPoints, 0);
  const season = period < 0 ? detectPeriod(values.slice(0, learned), threshold) : period;
  const repeated: Numbers = season > 0 ? seasonal(values, season, learned) : values.map(() => 0);
  const level = trendOf(minus(values, repeated), trend, learned);
  const baseline = repeated.map((value, index) => (value ?? 0) + (level[index] ?? 0));
  return { baseline, seasonal: repeated, trend: level, residual: minus(values, baseline) };
}

function wishesOf(
  period: RuntimeValue | undefined,
  trend: RuntimeValue | undefined,
  testPoints: RuntimeValue | undefined,
  threshold: RuntimeValue | undefined,
  usualTrend = "avg",
): Wishes {
  const kind = text(trend).toLowerCase() || usualTrend;
  if (kind !== "avg" && kind !== "linefit" && kind !== "none") throw notSupported(`the trend '${text(trend)}'`);
  return {
    period: Math.trunc(toNumber(period ?? null) ?? -1),
    trend: kind,
    testPoints: Math.max(0, Math.trunc(toNumber(testPoints ?? null) ?? 0)),
    threshold: toNumber(threshold ?? null) ?? usualThreshold,
  };
}

function anomalies(values: Numbers, limit: number, method: string, wishes: Wishes): Dynamic {
  if (wishes.testPoints > 0) throw notSupported("series_decompose_anomalies() with test points");
  if (method !== "" && method !== "ctukey" && method !== "tukey") throw notSupported(`the method '${method}'`);
  const { residual, baseline } = decompose(values, wishes);
  const scores = list(outliers([residual, method || "ctukey"])) ?? [];
  const flags = scores.map((score) => {
    const value = toNumber(score) ?? 0;
    return value > limit ? 1n : value < -limit ? -1n : 0n;
  });
  return [flags, scores, baseline];
}

const partsOf = (found: Decomposition): Dynamic => [found.baseline, found.seasonal, found.trend, found.residual];

const numbersOf = (value: RuntimeValue | undefined): Numbers | undefined => list(value)?.map(toNumber);

export const seriesDecompositions: Readonly<Record<string, RuntimeFunction>> = {
  /** Zeros where no period is found. */
  series_seasonal: ([series, period]) => {
    const values = numbersOf(series);
    const given = toNumber(period ?? null);
    if (values === undefined || (given !== null && given < 1)) return null;
    const season = given ?? detectPeriod(values, usualThreshold);
    return season > 0 ? seasonal(values, Math.trunc(season)) : values.map(() => 0);
  },
  series_decompose: ([series, period, trend, testPoints, threshold]) => {
    const values = numbersOf(series);
    if (values === undefined) return null;
    return partsOf(decompose(values, wishesOf(period, trend, testPoints, threshold)));
  },
  series_decompose_anomalies: ([series, limit, period, trend, testPoints, method, threshold]) => {
    const values = numbersOf(series);
    if (values === undefined) return null;
    const wishes = wishesOf(period, trend, testPoints, threshold);
    return anomalies(values, toNumber(limit ?? null) ?? 1.5, text(method).toLowerCase(), wishes);
  },
  /** The line through what is known goes on, unless another trend is asked for. */
  series_decompose_forecast: ([series, points, period, trend, threshold]) => {
    const values = numbersOf(series);
    if (values === undefined) return null;
    return partsOf(decompose(values, wishesOf(period, trend, points, threshold, "linefit")));
  },
};
