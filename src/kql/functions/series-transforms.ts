// Series as wholes: Fourier transform, polynomials and two lines fitted, scores of outliers.

import { toNumber, type Dynamic } from "../values/dynamic.ts";
import { fitLine, statistics } from "./series-fit.ts";
import { notSupported } from "./unsupported.ts";
import { list, text, type RuntimeFunction, type RuntimeValue } from "./value.ts";

type Numbers = (number | null)[];

const numbersOf = (value: RuntimeValue | undefined): Numbers | undefined => list(value)?.map(toNumber);

interface Complex {
  readonly real: number[];
  readonly imaginary: number[];
}

/** The discrete transform; by halves where the length is even, by its definition otherwise. */
function transform({ real, imaginary }: Complex, sign: 1 | -1): Complex {
  const count = real.length;
  if (count <= 1) return { real, imaginary };
  if (count % 2 === 1) return transformPlainly({ real, imaginary }, sign);
  const part = (odd: number): Complex =>
    transform(
      {
        real: real.filter((_, index) => index % 2 === odd),
        imaginary: imaginary.filter((_, index) => index % 2 === odd),
      },
      sign,
    );
  const [even, odd] = [part(0), part(1)];
  const half = count / 2;
  const result: Complex = { real: Array.from({ length: count }), imaginary: Array.from({ length: count }) };
  for (let k = 0; k < half; k += 1) {
    const turn = (sign * 2 * Math.PI * k) / count;
    const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
    const [x, y] = [odd.real[k] ?? 0, odd.imaginary[k] ?? 0];
    const [re, im] = [cos * x - sin * y, cos * y + sin * x];
    result.real[k] = (even.real[k] ?? 0) + re;
    result.imaginary[k] = (even.imaginary[k] ?? 0) + im;
    result.real[k + half] = (even.real[k] ?? 0) - re;
    result.imaginary[k + half] = (even.imaginary[k] ?? 0) - im;
  }
  return result;
}

function transformPlainly({ real, imaginary }: Complex, sign: 1 | -1): Complex {
  const count = real.length;
  if (count > longestPlain) throw notSupported(`a Fourier transform of a multiple of ${count} values`);
  const turns = real.map((_, n) => (sign * 2 * Math.PI * n) / count);
  const [cosines, sines] = [turns.map(Math.cos), turns.map(Math.sin)];
  const result: Complex = { real: [], imaginary: [] };
  for (let k = 0; k < count; k += 1) {
    let [re, im, at] = [0, 0, 0];
    for (let n = 0; n < count; n += 1) {
      const cos = cosines[at] ?? 0;
      const sin = sines[at] ?? 0;
      at = at + k < count ? at + k : at + k - count;
      re += (real[n] ?? 0) * cos - (imaginary[n] ?? 0) * sin;
      im += (real[n] ?? 0) * sin + (imaginary[n] ?? 0) * cos;
    }
    result.real.push(re);
    result.imaginary.push(im);
  }
  return result;
}

/** The definition costs the square of the length. */
const longestPlain = 1024;
const longestTransform = 65_536;

function fourier(sign: 1 | -1): RuntimeFunction {
  return ([real, imaginary]) => {
    const re = numbersOf(real)?.map((value) => value ?? 0);
    if (re === undefined) return null;
    if (re.length > longestTransform) throw notSupported(`a Fourier transform of more than ${longestTransform} values`);
    const given = numbersOf(imaginary) ?? [];
    const found = transform({ real: re, imaginary: re.map((_, index) => given[index] ?? 0) }, sign);
    const scale = sign === 1 ? re.length : 1;
    return [found.real.map((value) => value / scale), found.imaginary.map((value) => value / scale)];
  };
}

/** Linear interpolation between the ranks. */
function interpolated(sorted: readonly number[], percent: number): number {
  const at = (percent / 100) * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? 0;
  const above = sorted[Math.ceil(at)] ?? below;
  return below + (above - below) * (at - Math.floor(at));
}

/** Makes scores by the 10th and 90th percentile comparable with those by quartiles. */
const customScale = 2.772_605_605_507_915;

/** How far beyond the fences each value lies, in units of the distance between them. */
export const outliers: RuntimeFunction = ([series, kind, ignored, lowest, highest]) => {
  const values = numbersOf(series);
  if (values === undefined) return null;
  const isTukey = text(kind).toLowerCase() === "tukey";
  const [low, high] = isTukey ? [25, 75] : [toNumber(lowest ?? 10) ?? 10, toNumber(highest ?? 90) ?? 90];
  if (!isTukey && (low !== 10 || high !== 90)) throw notSupported("series_outliers() with other percentiles");
  const skip = ignored === undefined ? null : toNumber(ignored);
  const known = values.flatMap((value) => (value === null || value === skip ? [] : [value])).toSorted((a, b) => a - b);
  const [from, to] = [interpolated(known, low), interpolated(known, high)];
  const scale = (isTukey ? 1 : customScale) / (to - from);
  return values.map((value) => {
    if (value === null || value === skip || to === from) return 0;
    return value > to ? (value - to) * scale : value < from ? (value - from) * scale : 0;
  });
};

/** Solves the normal equations by elimination with pivots. */
function solve(matrix: number[][], right: number[]): number[] | undefined {
  const size = right.length;
  const rows = matrix.map((row, index) => [...row, right[index] ?? 0]);
  for (let column = 0; column < size; column += 1) {
    const pivot = rows
      .slice(column)
      .reduce((best, row) => (Math.abs(row[column] ?? 0) > Math.abs(best[column] ?? 0) ? row : best));
    if (Math.abs(pivot[column] ?? 0) < 1e-300) return undefined;
    rows[rows.indexOf(pivot)] = rows[column] ?? pivot;
    rows[column] = pivot;
    for (const row of rows) {
      if (row === pivot) continue;
      const factor = (row[column] ?? 0) / (pivot[column] ?? 1);
      for (let at = column; at <= size; at += 1) row[at] = (row[at] ?? 0) - factor * (pivot[at] ?? 0);
    }
  }
  return rows.map((row, index) => (row[size] ?? 0) / (row[index] ?? 1));
}

/** Powers of the positions are taken around their middle, so that high degrees keep their digits. */
const fitPolynomial: RuntimeFunction = ([series, second, third]) => {
  const y = numbersOf(series);
  const givenX = numbersOf(second);
  const degree = Number(toNumber(givenX === undefined ? (second ?? 1n) : (third ?? 1n)) ?? 1);
  const found = statistics(y);
  if (y === undefined || found === undefined || !(degree >= 1 && degree <= 10)) return null;
  const x = y.map((_, index) => (givenX === undefined ? index : (givenX[index] ?? null)));
  const points = y.flatMap((value, index) => {
    const at = x[index] ?? null;
    return value === null || at === null ? [] : [{ at, value }];
  });
  const middle = points.reduce((sum, { at }) => sum + at, 0) / points.length;
  const spread = Math.max(...points.map(({ at }) => Math.abs(at - middle)), 1e-300);
  const powers = (at: number): number[] =>
    Array.from({ length: degree + 1 }, (_, power) => ((at - middle) / spread) ** power);
  const basis = points.map(({ at }) => powers(at));
  const normal = powers(0).map((_, i) =>
    powers(0).map((__, j) => basis.reduce((sum, row) => sum + (row[i] ?? 0) * (row[j] ?? 0), 0)),
  );
  const right = powers(0).map((_, i) =>
    basis.reduce((sum, row, index) => sum + (row[i] ?? 0) * (points[index]?.value ?? 0), 0),
  );
  const solved = solve(normal, right);
  if (solved === undefined) return null;
  const at = (place: number): number =>
    powers(place).reduce((sum, power, index) => sum + power * (solved[index] ?? 0), 0);
  const rest = points.reduce((sum, point) => sum + (point.value - at(point.at)) ** 2, 0);
  const rvariance = points.length > 1 ? rest / (points.length - 1) : 0;
  const rsquare = found.variance === 0 ? 1 : 1 - rvariance / found.variance;
  const fitted = x.map((place): Dynamic => (place === null ? null : at(place)));
  return [rsquare, expanded(solved, middle, spread), found.variance, rvariance, fitted];
};

/** The coefficients of plain powers, the highest last. */
function expanded(solved: readonly number[], middle: number, spread: number): number[] {
  const result = solved.map(() => 0);
  let power = [1];
  for (const [index, factor] of solved.entries()) {
    for (const [at, value] of power.entries()) result[at] = (result[at] ?? 0) + factor * value;
    if (index === solved.length - 1) break;
    const next = Array.from({ length: power.length + 1 }, () => 0);
    for (const [at, value] of power.entries()) {
      next[at] = (next[at] ?? 0) - (value * middle) / spread;
      next[at + 1] = (next[at + 1] ?? 0) + value / spread;
    }
    power = next;
  }
  return result;
}

/** Sums over the first values of a series, from which the rest of a line through any stretch follows. */
function prefixSums(values: Numbers, middle: number): readonly (readonly number[])[] {
  const sums = [[0, 0, 0, 0, 0, 0]];
  for (const [x, value] of values.entries()) {
    const before = sums[x] ?? [];
    const y = (value ?? 0) - middle;
    const added = value === null ? [0, 0, 0, 0, 0, 0] : [1, x, y, x * x, x * y, y * y];
    sums.push(before.map((sum, index) => sum + (added[index] ?? 0)));
  }
  return sums;
}

function restOfLine(from: readonly number[], to: readonly number[]): number {
  const [n = 0, x = 0, y = 0, xx = 0, xy = 0, yy = 0] = to.map((sum, index) => sum - (from[index] ?? 0));
  if (n === 0) return 0;
  const [spread, shared, variance] = [xx - (x * x) / n, xy - (x * y) / n, yy - (y * y) / n];
  return Math.max(spread === 0 ? variance : variance - (shared * shared) / spread, 0);
}

/** The split where a line on each side leaves the smallest rest. */
const fitTwoLines: RuntimeFunction = ([series]) => {
  const values = numbersOf(series);
  const whole = statistics(values);
  if (values === undefined || whole === undefined) return null;
  const sums = prefixSums(values, whole.avg);
  const [none = [], all = []] = [sums[0], sums.at(-1)];
  let best = { split: 0, rest: Number.POSITIVE_INFINITY };
  for (let split = 1; split < values.length; split += 1) {
    const at = sums[split] ?? none;
    const rest = restOfLine(none, at) + restOfLine(at, all);
    if (rest < best.rest - 1e-12 * whole.variance) best = { split, rest };
  }
  const [left, right] = [fitLine(values.slice(0, best.split)), fitLine(values.slice(best.split))];
  if (left === undefined || right === undefined) return null;
  const line = [...left.line, ...right.line];
  const known = values.flatMap((value, index) => (value === null ? [] : [(value - (line[index] ?? 0)) ** 2]));
  const rvariance = known.length > 1 ? known.reduce((sum, square) => sum + square, 0) / (known.length - 1) : 0;
  const rsquare = whole.variance === 0 ? 1 : 1 - rvariance / whole.variance;
  const side = (fit: typeof left): number[] => [fit.rsquare, fit.slope, fit.interception, fit.variance, fit.rvariance];
  return [rsquare, BigInt(best.split), whole.variance, rvariance, line, ...side(right), ...side(left)];
};

const sideKeys = ["rsquare", "slope", "interception", "variance", "rvariance"];

/** The same as a bag, with the lines right and left of the split as bags in it. */
const fitTwoLinesDynamic: RuntimeFunction = (args) => {
  const found = list(fitTwoLines(args));
  if (found === undefined) return null;
  const bagOf = (keys: readonly string[], from: number): Map<string, Dynamic> =>
    new Map(keys.map((key, index) => [key, found[from + index] ?? null]));
  const whole = bagOf(["rsquare", "split_idx", "variance", "rvariance", "line_fit"], 0);
  return whole.set("right", bagOf(sideKeys, 5)).set("left", bagOf(sideKeys, 10));
};

export const seriesTransforms: Readonly<Record<string, RuntimeFunction>> = {
  series_fft: fourier(-1),
  series_ifft: fourier(1),
  series_outliers: outliers,
  series_fit_poly: fitPolynomial,
  series_fit_2lines: fitTwoLines,
  series_fit_2lines_dynamic: fitTwoLinesDynamic,
};
