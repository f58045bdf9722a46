// Statistics of a series and the line through it.

interface Statistics {
  readonly min: number;
  readonly minIndex: bigint;
  readonly max: number;
  readonly maxIndex: bigint;
  readonly avg: number;
  readonly stdev: number;
  readonly variance: number;
  readonly sum: number;
  readonly length: bigint;
}

export function statistics(values: readonly (number | null)[] | undefined): Statistics | undefined {
  if (values === undefined) return undefined;
  const known = values.flatMap((value, index) => (value === null ? [] : [{ value, index }]));
  const [first] = known;
  if (first === undefined) return undefined;
  const sum = known.reduce((total, { value }) => total + value, 0);
  const avg = sum / known.length;
  const squares = known.reduce((total, { value }) => total + (value - avg) ** 2, 0);
  const variance = known.length > 1 ? squares / (known.length - 1) : 0;
  const min = known.reduce((best, item) => (item.value < best.value ? item : best), first);
  const max = known.reduce((best, item) => (item.value > best.value ? item : best), first);
  return {
    min: min.value,
    minIndex: BigInt(min.index),
    max: max.value,
    maxIndex: BigInt(max.index),
    avg,
    stdev: Math.sqrt(variance),
    variance,
    sum,
    length: BigInt(values.length),
  };
}

interface Line {
  readonly rsquare: number;
  readonly slope: number;
  readonly variance: number;
  readonly rvariance: number;
  readonly interception: number;
  readonly line: number[];
}

/** Least squares over the positions. */
export function fitLine(values: readonly (number | null)[] | undefined): Line | undefined {
  const found = statistics(values);
  if (values === undefined || found === undefined) return undefined;
  const known = values.flatMap((y, x) => (y === null ? [] : [{ x, y }]));
  const meanX = known.reduce((sum, { x }) => sum + x, 0) / known.length;
  const spread = known.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
  const slope = spread === 0 ? 0 : known.reduce((sum, { x, y }) => sum + (x - meanX) * (y - found.avg), 0) / spread;
  const interception = found.avg - slope * meanX;
  const residuals = known.map(({ x, y }) => y - (interception + slope * x));
  const rest = residuals.reduce((sum, value) => sum + value * value, 0);
  const rvariance = known.length > 1 ? rest / (known.length - 1) : 0;
  return {
    rsquare: found.variance === 0 ? 0 : 1 - rvariance / found.variance,
    slope,
    variance: found.variance,
    rvariance,
    interception,
    line: values.map((_, x) => interception + slope * x),
  };
}
