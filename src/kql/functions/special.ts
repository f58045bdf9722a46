// Special functions: gamma, beta, and the tests built on them.

import { isNumber, type Dynamic } from "../values/dynamic.ts";
import type { RuntimeFunction } from "./value.ts";

const lanczos = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * x))) - logGamma(1 - x);
  const shifted = x - 1;
  const base = shifted + 7.5;
  const sum = lanczos.reduce((total, weight, index) => (index === 0 ? weight : total + weight / (shifted + index)), 0);
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(base) - base + Math.log(sum);
}

function gamma(x: number): number {
  if (Number.isInteger(x) && x > 0 && x < 171) {
    let product = 1;
    for (let factor = 2; factor < x; factor += 1) product *= factor;
    return product;
  }
  return Math.exp(logGamma(x)) * (x < 0 && Math.floor(x) % 2 !== 0 ? -1 : 1);
}

/** The regularized incomplete beta function, by Lentz's continued fraction. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x)) / a;
  const tiny = 1e-300;
  let [fraction, c, d] = [1, 1, 0];
  for (let step = 0; step <= 500; step += 1) {
    const m = Math.floor(step / 2);
    const numerator =
      step === 0
        ? 1
        : step % 2 === 0
          ? (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
          : -((a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (Math.abs(1 + numerator * d) < tiny ? tiny : 1 + numerator * d);
    c = Math.abs(1 + numerator / c) < tiny ? tiny : 1 + numerator / c;
    fraction *= c * d;
    if (Math.abs(1 - c * d) < 1e-16) break;
  }
  return front * (fraction - 1);
}

function inverseBeta(p: number, a: number, b: number): number {
  let [low, high] = [0, 1];
  for (let step = 0; step < 200 && high - low > 0; step += 1) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (incompleteBeta(middle, a, b) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

const real = (value: Dynamic | undefined): number | null =>
  value !== undefined && isNumber(value) ? Number(value) : null;

/** Calls with all arguments present; null otherwise. */
function numeric(compute: (...values: number[]) => number | null): RuntimeFunction {
  return (args) => {
    const values = args.map(real);
    return values.some((value) => value === null) ? null : compute(...values.map((value) => value ?? 0));
  };
}

/** A series without cancellation near zero, a continued fraction far from it. */
function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  if (x < 2.5) return 1 - erf(x);
  if (x === Number.POSITIVE_INFINITY) return 0;
  let fraction = 0;
  for (let step = 120; step >= 1; step -= 1) fraction = step / 2 / (x + fraction);
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * (x + fraction));
}

function erf(x: number): number {
  if (Math.abs(x) >= 2.5) return x > 0 ? 1 - erfc(x) : erfc(-x) - 1;
  let [term, sum] = [x, x];
  for (let step = 1; Math.abs(term) > Math.abs(sum) * 1e-17 && step < 200; step += 1) {
    term *= (2 * x * x) / (2 * step + 1);
    sum += term;
  }
  return ((2 * Math.exp(-x * x)) / Math.sqrt(Math.PI)) * sum;
}

/** The probability that both samples have the same mean, from means, variances and sizes. */
function welch(
  mean1: number,
  variance1: number,
  count1: number,
  mean2: number,
  variance2: number,
  count2: number,
): number {
  const [a, b] = [variance1 / count1, variance2 / count2];
  const t = (mean1 - mean2) / Math.sqrt(a + b);
  const freedom = (a + b) ** 2 / (a ** 2 / (count1 - 1) + b ** 2 / (count2 - 1));
  return incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5);
}

export const specialFunctions: Readonly<Record<string, RuntimeFunction>> = {
  erf: numeric(erf),
  erfc: numeric(erfc),
  gamma: numeric(gamma),
  loggamma: numeric(logGamma),
  beta_cdf: numeric((x, a, b) => (x < 0 || x > 1 ? Number.NaN : a <= 0 || b <= 0 ? 1 : incompleteBeta(x, a, b))),
  beta_inv: numeric((p, a, b) => (p < 0 || p > 1 ? null : a <= 0 || b <= 0 ? Number.NaN : inverseBeta(p, a, b))),
  beta_pdf: numeric((x, a, b) => {
    if (x < 0 || x > 1 || a <= 0 || b <= 0) return Number.NaN;
    return Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + (a - 1) * Math.log(x) + (b - 1) * Math.log(1 - x));
  }),
  welch_test: numeric(welch),
  weighted_percentile: ([pairs, percent]) => {
    const found = (Array.isArray(pairs) ? pairs : []).flatMap((pair) =>
      pair instanceof Map ? [{ value: pair.get("v") ?? null, weight: real(pair.get("w")) ?? 0 }] : [],
    );
    const total = found.reduce((sum, { weight }) => sum + weight, 0);
    const goal = (total * (real(percent) ?? 0)) / 100;
    let passed = 0;
    for (const { value, weight } of found) {
      passed += weight;
      if (passed >= goal) return value;
    }
    return null;
  },
};
