// Series: arrays of numbers, element by element, filled, filtered, fitted.

import { dynamicEquals, isNumber, toNumber, type Dynamic } from "../values/dynamic.ts";
import { notSupported } from "./unsupported.ts";
import { list, type RuntimeFunction } from "./value.ts";
import { fitLine, statistics } from "./series-fit.ts";

type Numbers = (number | null)[];

const numbersOf = (value: Dynamic | undefined): Numbers | undefined => list(value)?.map(toNumber);

/** Whole results of whole numbers stay whole. */
function shown(value: number | null, whole: boolean): Dynamic {
  return value !== null && whole && Number.isSafeInteger(value) ? BigInt(value) : value;
}

const isWhole = (values: Dynamic | undefined): boolean =>
  (list(values) ?? []).every((value) => value === null || typeof value === "bigint");

function pairwise(combine: (a: number, b: number) => number, wholeResult = true): RuntimeFunction {
  return ([left, right]) => {
    const [a, b] = [numbersOf(left), numbersOf(right)];
    if (a === undefined || b === undefined) return null;
    const whole = wholeResult && isWhole(left) && isWhole(right);
    return Array.from({ length: Math.max(a.length, b.length) }, (_, index) => {
      const [x, y] = [a[index] ?? null, b[index] ?? null];
      return x === null || y === null ? null : shown(combine(x, y), whole);
    });
  };
}

function compared(test: (a: number, b: number) => boolean): RuntimeFunction {
  return ([left, right]) => {
    const [a, b] = [list(left), list(right)];
    if (a === undefined || b === undefined) return null;
    return Array.from({ length: Math.max(a.length, b.length) }, (_, index) => {
      const [x, y] = [a[index] ?? null, b[index] ?? null];
      if (x === null || y === null) return null;
      const [n, m] = [toNumber(x), toNumber(y)];
      if (n !== null && m !== null) return test(n, m);
      return test(dynamicEquals(x, y) ? 0 : 1, 0);
    });
  };
}

function each(change: (value: number) => number, wholeResult = false): RuntimeFunction {
  return ([values]) => {
    const found = numbersOf(values);
    if (found === undefined) return null;
    const whole = wholeResult && isWhole(values);
    return found.map((value) => (value === null ? null : shown(change(value), whole)));
  };
}

const isMissing = (value: Dynamic, placeholder: Dynamic): boolean =>
  placeholder === null ? value === null : value === null || dynamicEquals(value, placeholder);

function fillForward(values: Dynamic[], placeholder: Dynamic): Dynamic[] {
  let last: Dynamic = null;
  let seen = false;
  return values.map((value) => {
    if (!isMissing(value, placeholder)) {
      last = value;
      seen = true;
    }
    return seen ? last : value;
  });
}

function fillLinear(values: Dynamic[], placeholder: Dynamic, edges: boolean, constant: Dynamic): Dynamic[] {
  const known = values.flatMap((value, index) => (isMissing(value, placeholder) || !isNumber(value) ? [] : [index]));
  const whole = values.every((value) => value === null || typeof value === "bigint");
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined) return values.map(() => constant);
  return values.map((value, index) => {
    if (!isMissing(value, placeholder)) return value;
    if (index < first) return edges ? (values[first] ?? null) : value;
    if (index > last) return edges ? (values[last] ?? null) : value;
    const before = known.findLast((at) => at < index) ?? first;
    const after = known.find((at) => at > index) ?? last;
    const [a, b] = [Number(values[before]), Number(values[after])];
    const between = a + ((b - a) * (index - before)) / (after - before);
    return shown(whole ? Math.trunc(between) : between, whole);
  });
}

/** A number beside a series stands for a series of it. */
function repeated(value: Dynamic | undefined, series: Dynamic | undefined): Numbers | undefined {
  return isNumber(value ?? null) ? list(series)?.map(() => Number(value)) : undefined;
}

/** A filter looks at so many values for each value that both must stay in bounds. */
function refuseHugeFilter(values: Numbers, weights: number): void {
  if (values.length * weights > 50_000_000) throw notSupported("a filter of this length over a series of this length");
}

function fir(values: Numbers, filter: Numbers, normalize: boolean, center: boolean): Numbers {
  refuseHugeFilter(values, filter.length);
  const sum = filter.reduce<number>((total, weight) => total + (weight ?? 0), 0);
  const scale = normalize && sum !== 0 ? 1 / sum : 1;
  const offset = center ? Math.floor((filter.length - 1) / 2) : 0;
  return values.map((_, index) => {
    let total = 0;
    filter.forEach((weight, step) => {
      total += (weight ?? 0) * (values[index + offset - step] ?? 0);
    });
    return total * scale;
  });
}

function iir(values: Numbers, numerators: Numbers, denominators: Numbers): Numbers {
  refuseHugeFilter(values, numerators.length + denominators.length);
  const found: number[] = [];
  const lead = denominators[0] ?? 1;
  values.forEach((_, index) => {
    let total = 0;
    numerators.forEach((weight, step) => {
      total += (weight ?? 0) * (values[index - step] ?? 0);
    });
    denominators.slice(1).forEach((weight, step) => {
      total -= (weight ?? 0) * (found[index - step - 1] ?? 0);
    });
    found.push(total / lead);
  });
  return found;
}

function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length === 0) return null;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? null) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** The seasonal part: for each place in the period the median of the first `learned` values. */
export function seasonal(values: Numbers, period: number, learned = values.length): Numbers {
  const slots = Array.from({ length: Math.min(period, values.length) }, (): number[] => []);
  values.slice(0, learned).forEach((value, index) => {
    if (value !== null) slots[index % period]?.push(value);
  });
  const medians = slots.map(median);
  return values.map((_, index) => medians[index % period] ?? null);
}

function pearson(a: readonly number[], b: readonly number[]): number | null {
  const n = Math.min(a.length, b.length);
  const mean = (values: readonly number[]): number => values.slice(0, n).reduce((sum, value) => sum + value, 0) / n;
  const [ma, mb] = [mean(a), mean(b)];
  let [top, left, right] = [0, 0, 0];
  for (let index = 0; index < n; index += 1) {
    const [x, y] = [(a[index] ?? 0) - ma, (b[index] ?? 0) - mb];
    top += x * y;
    left += x * x;
    right += y * y;
  }
  return left === 0 || right === 0 ? null : top / Math.sqrt(left * right);
}

const present = (value: Dynamic | undefined): number[] => (numbersOf(value) ?? []).filter((item) => item !== null);

export const seriesFunctions: Readonly<Record<string, RuntimeFunction>> = {
  series_add: pairwise((a, b) => a + b),
  series_subtract: pairwise((a, b) => a - b),
  series_multiply: pairwise((a, b) => a * b),
  series_divide: pairwise((a, b) => a / b, false),
  series_pow: pairwise((a, b) => a ** b, false),
  series_equals: compared((a, b) => a === b),
  series_not_equals: compared((a, b) => a !== b),
  series_less: compared((a, b) => a < b),
  series_less_equals: compared((a, b) => a <= b),
  series_greater: compared((a, b) => a > b),
  series_greater_equals: compared((a, b) => a >= b),
  series_abs: each(Math.abs, true),
  series_ceiling: each(Math.ceil, true),
  series_floor: each(Math.floor, true),
  series_sign: each(Math.sign, true),
  series_exp: each(Math.exp),
  series_log: each(Math.log),
  series_sin: each(Math.sin),
  series_cos: each(Math.cos),
  series_tan: each(Math.tan),
  series_asin: each(Math.asin),
  series_acos: each(Math.acos),
  series_atan: each(Math.atan),
  series_sum: ([values]) =>
    list(values) === undefined ? null : present(values).reduce((sum, value) => sum + value, 0),
  series_product: ([values]) =>
    list(values) === undefined ? null : present(values).reduce((all, value) => all * value, 1),
  series_magnitude: ([values]) =>
    list(values) === undefined ? null : Math.sqrt(present(values).reduce((sum, value) => sum + value * value, 0)),
  series_dot_product: ([left, right]) => {
    const [a, b] = [numbersOf(left) ?? repeated(left, right), numbersOf(right) ?? repeated(right, left)];
    if (a === undefined || b === undefined) return null;
    return a.slice(0, b.length).reduce<number>((sum, value, index) => sum + (value ?? 0) * (b[index] ?? 0), 0);
  },
  series_cosine_similarity: ([left, right]) => {
    const [a, b] = [present(left), present(right)];
    const dot = a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
    const size = (values: readonly number[]): number =>
      Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
    return size(a) === 0 || size(b) === 0 ? null : dot / (size(a) * size(b));
  },
  series_pearson_correlation: ([left, right]) => pearson(present(left), present(right)),
  series_fill_forward: ([values, placeholder = null]) =>
    list(values) === undefined ? null : fillForward(list(values) ?? [], placeholder),
  series_fill_backward: ([values, placeholder = null]) =>
    list(values) === undefined ? null : fillForward((list(values) ?? []).toReversed(), placeholder).toReversed(),
  series_fill_const: ([values, constant = 0, placeholder = null]) =>
    list(values) === undefined
      ? null
      : (list(values) ?? []).map((value) => (isMissing(value, placeholder) ? constant : value)),
  series_fill_linear: ([values, placeholder = null, edges = true, constant = 0]) =>
    list(values) === undefined ? null : fillLinear(list(values) ?? [], placeholder, edges !== false, constant),
  series_fir: ([values, filter, normalize = true, center = false]) => {
    const [found, weights] = [numbersOf(values), numbersOf(filter)];
    return found === undefined || weights === undefined
      ? null
      : fir(found, weights, normalize !== false, center === true);
  },
  series_iir: ([values, numerators, denominators]) => {
    const [found, a, b] = [numbersOf(values), numbersOf(numerators), numbersOf(denominators)];
    return found === undefined || a === undefined || b === undefined ? null : iir(found, a, b);
  },
  series_stats: ([values]) => {
    const found = statistics(numbersOf(values));
    return found === undefined
      ? null
      : [found.min, found.minIndex, found.max, found.maxIndex, found.avg, found.stdev, found.variance];
  },
  series_stats_dynamic: ([values]) => {
    const found = statistics(numbersOf(values));
    if (found === undefined) return null;
    return new Map<string, Dynamic>([
      ["min", found.min],
      ["min_idx", found.minIndex],
      ["max", found.max],
      ["max_idx", found.maxIndex],
      ["avg", found.avg],
      ["stdev", found.stdev],
      ["variance", found.variance],
      ["sum", found.sum],
      ["len", found.length],
    ]);
  },
  series_fit_line: ([values]) => {
    const found = fitLine(numbersOf(values));
    return found === undefined
      ? null
      : [found.rsquare, found.slope, found.variance, found.rvariance, found.interception, found.line];
  },
  series_fit_line_dynamic: ([values]) => {
    const found = fitLine(numbersOf(values));
    if (found === undefined) return null;
    return new Map<string, Dynamic>([
      ["rsquare", found.rsquare],
      ["slope", found.slope],
      ["variance", found.variance],
      ["rvariance", found.rvariance],
      ["interception", found.interception],
      ["line_fit", found.line],
    ]);
  },
};
