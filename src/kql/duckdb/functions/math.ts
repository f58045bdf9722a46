// Arithmetic with KQL's rules: whole division, Euclidean remainder, null for division by zero, and
// 64-bit overflow that wraps (only on a second try: see EmitContext.wrap).

import type { FunctionEmitter } from "../context.ts";
import { runtimeCall } from "../runtime-call.ts";
import { epochMicroseconds, literalSql, plain, sql, ticks, type Sql } from "../sql.ts";
import { validDatetime } from "./time.ts";

const overflowRange = "18446744073709551616::HUGEINT";

/** Brings a HUGEINT back to 64 bits as the processor would. */
export function wrap64(text: string): string {
  return `(((${text}) + 9223372036854775808::HUGEINT) % ${overflowRange} + ${overflowRange}) % ${overflowRange} - 9223372036854775808::HUGEINT)::BIGINT`.replace(
    "(((",
    "((((",
  );
}

function plusMinus(operator: "+" | "-"): FunctionEmitter {
  return ([left, right], call, emitter) => {
    if (left === undefined || right === undefined) return undefined as never;
    if (call.type === "datetime") return shifted(left, right, operator);
    if (left.type === "datetime") return difference(left, right);
    if (call.type === "decimal") return sql("decimal", `(${left.text} ${operator} ${right.text})::DECIMAL(38,18)`);
    if (call.type === "long" && emitter.context.wrap) {
      return sql("long", wrap64(`${left.text}::HUGEINT ${operator} ${right.text}::HUGEINT`));
    }
    return sql(call.type, `(${left.text} ${operator} ${right.text})`);
  };
}

/** A stored time moves in whole microseconds where the distance is known to be whole. */
function shifted(left: Sql, right: Sql, operator: "+" | "-"): Sql {
  const [time, span] = left.type === "datetime" ? [left, right] : [right, left];
  if (time.timestamp && typeof span.constant === "bigint" && span.constant % 10n === 0n) {
    return sql("datetime", `(${time.text} ${operator} to_microseconds(${span.constant / 10n}))`, { timestamp: true });
  }
  const both = typeof time.constant === "bigint" && typeof span.constant === "bigint";
  const constant = both
    ? operator === "+"
      ? (time.constant as bigint) + (span.constant as bigint)
      : (time.constant as bigint) - (span.constant as bigint)
    : undefined;
  const text = `(${ticks(time)} ${operator} ${span.text})`;
  if (constant !== undefined) return literalSql("datetime", inRange(constant) ? constant : null);
  return sql("datetime", validDatetime(text));
}

function inRange(value: bigint | undefined): boolean {
  return value !== undefined && value >= 0n && value < 3_155_378_976_000_000_000n;
}

function difference(left: Sql, right: Sql): Sql {
  if (left.timestamp && right.timestamp)
    return sql("timespan", `((epoch_us(${left.text}) - epoch_us(${right.text})) * 10)`);
  return sql("timespan", `(${ticks(left)} - ${ticks(right)})`);
}

const real =
  (name: string): FunctionEmitter =>
  ([value]) =>
    sql("real", `${name}((${value?.text})::DOUBLE)`);

/** Functions that DuckDB refuses outside their domain. */
const guarded =
  (name: string, domain: (text: string) => string, outside: string): FunctionEmitter =>
  ([value]) => {
    const text = `(${value?.text})::DOUBLE`;
    return sql(
      "real",
      `(CASE WHEN ${domain(text)} THEN ${name}(${text}) WHEN ${text} IS NULL THEN NULL ELSE ${outside} END)`,
    );
  };

const logarithm =
  (name: string): FunctionEmitter =>
  ([value]) => {
    const text = `(${value?.text})::DOUBLE`;
    return sql(
      "real",
      `(CASE WHEN ${text} > 0 THEN ${name}(${text}) WHEN ${text} = 0 THEN '-inf'::DOUBLE ELSE NULL END)`,
    );
  };

const extreme =
  (name: "greatest" | "least"): FunctionEmitter =>
  (args, call) => {
    const values = args.map(plain);
    if (call.type !== "real") return sql(call.type, `${name}(${values.join(", ")})`);
    const anyNan = values.map((value) => `isnan(${value})`).join(" OR ");
    return sql("real", `(CASE WHEN ${anyNan} THEN 'nan'::DOUBLE ELSE ${name}(${values.join(", ")}) END)`);
  };

export const mathFunctions: Readonly<Record<string, FunctionEmitter>> = {
  add: plusMinus("+"),
  subtract: plusMinus("-"),
  multiply: ([left, right], call, emitter) => {
    if (left === undefined || right === undefined) return undefined as never;
    if (call.type === "decimal") return runtimeCall("decimal_multiply", [left, right], "decimal", emitter.context);
    if (call.type === "timespan") {
      const whole = [left, right].every(({ type }) => type !== "real" && type !== "decimal");
      const product = `${left.text} * ${right.text}`;
      return sql("timespan", whole ? `(${product})` : `try_cast(trunc(${product}) AS BIGINT)`);
    }
    if (call.type === "long" && emitter.context.wrap)
      return runtimeCall("long_multiply", [left, right], "long", emitter.context);
    return sql(call.type, `(${left.text} * ${right.text})`);
  },
  divide: ([left, right], call, emitter) => {
    if (left === undefined || right === undefined) return undefined as never;
    if (call.type === "decimal") return runtimeCall("decimal_divide", [left, right], "decimal", emitter.context);
    if (call.type === "timespan")
      return sql("timespan", `try_cast(trunc((${left.text})::DOUBLE / nullif(${right.text}, 0)) AS BIGINT)`);
    if (call.type === "real") return sql("real", `((${left.text})::DOUBLE / (${right.text})::DOUBLE)`);
    if (typeof right.constant === "bigint" && right.constant > 0n)
      return sql(call.type, `(${left.text} // ${right.text})`);
    return sql(call.type, `(${left.text} // nullif(${right.text}, 0))`);
  },
  modulo: ([left, right], call) => {
    if (left === undefined || right === undefined) return undefined as never;
    const [a, b] = [plain(left), plain(right)];
    if (call.type === "real")
      return sql("real", `(CASE WHEN ${b} = 0 THEN NULL ELSE fmod(fmod(${a}, ${b}) + abs(${b}), abs(${b})) END)`);
    if (typeof right.constant === "bigint" && right.constant > 0n)
      return sql(call.type, `((${a} % ${b} + ${b}) % ${b})`);
    return sql(call.type, `(CASE WHEN ${b} = 0 THEN NULL ELSE ((${a} % ${b}) + abs(${b})) % abs(${b}) END)`);
  },
  negate: ([value], call, emitter) => {
    if (call.type === "long" && emitter.context.wrap) return sql("long", wrap64(`-(${value?.text}::HUGEINT)`));
    return sql(call.type, `(-${value?.text})`);
  },
  bin: ([value, size], call) => {
    if (value === undefined) return undefined as never;
    if (size === undefined) return sql("real", `floor(${value.text})`);
    if (value.type === "datetime") return binned(value, size);
    if (call.type === "real")
      return sql(
        "real",
        `(floor((${value.text})::DOUBLE / nullif((${size.text})::DOUBLE, 0)) * (${size.text})::DOUBLE)`,
      );
    if (call.type === "decimal")
      return sql("decimal", `(floor(${value.text} / ${size.text}) * ${size.text})::DECIMAL(38,18)`);
    if (typeof size.constant === "bigint" && size.constant > 0n) {
      return sql(call.type, `(${value.text} - ((${value.text} % ${size.text}) + ${size.text}) % ${size.text})`);
    }
    return sql(
      call.type,
      `(CASE WHEN ${size.text} <= 0 THEN NULL ELSE ${value.text} - ((${value.text} % ${size.text}) + ${size.text}) % ${size.text} END)`,
    );
  },
  bin_at: ([value, size, at]) => {
    if (value === undefined || size === undefined || at === undefined) return undefined as never;
    const [v, s, a] = [plain(value), size.text, plain(at)];
    if (value.type === "real" || size.type === "real") {
      return sql("real", `(${a} + floor((${v} - ${a})::DOUBLE / ${s}) * ${s})`);
    }
    return sql(value.type, `(${v} - (((${v} - ${a}) % ${s}) + ${s}) % ${s})`);
  },
  abs: ([value], call) => sql(call.type, `abs(${value?.text})`),
  sign: ([value]) => sql("real", `sign(${value?.text})::DOUBLE`),
  ceiling: ([value], call) => sql(call.type, `ceil((${value?.text})::DOUBLE)`),
  round: ([value, digits], call) => {
    if (call.type !== "real" && digits === undefined) return sql(call.type, `${value?.text}`);
    const places = digits === undefined ? "" : `, (${digits.text})::INTEGER`;
    return sql(call.type, `round(${value?.text}${places})`);
  },
  sqrt: guarded("sqrt", (text) => `${text} >= 0`, "'nan'::DOUBLE"),
  exp: real("exp"),
  exp2: ([value]) => sql("real", `pow(2, (${value?.text})::DOUBLE)`),
  exp10: ([value]) => sql("real", `pow(10, (${value?.text})::DOUBLE)`),
  log: logarithm("ln"),
  log2: logarithm("log2"),
  log10: logarithm("log10"),
  pow: ([base, exponent]) => sql("real", `pow((${base?.text})::DOUBLE, (${exponent?.text})::DOUBLE)`),
  sin: real("sin"),
  cos: real("cos"),
  tan: real("tan"),
  cot: real("cot"),
  asin: guarded("asin", (text) => `abs(${text}) <= 1`, "'nan'::DOUBLE"),
  acos: guarded("acos", (text) => `abs(${text}) <= 1`, "'nan'::DOUBLE"),
  atan: real("atan"),
  atan2: ([y, x]) => sql("real", `atan2((${y?.text})::DOUBLE, (${x?.text})::DOUBLE)`),
  degrees: real("degrees"),
  radians: real("radians"),
  pi: () => sql("real", "pi()"),
  rand: ([limit]) =>
    limit === undefined || limit.constant === 0n
      ? sql("real", "random()")
      : sql("real", `floor(random() * ${limit.text})`),
  isnan: ([value]) => sql("bool", `coalesce(isnan((${value?.text})::DOUBLE), false)`),
  isinf: ([value]) => sql("bool", `coalesce(isinf((${value?.text})::DOUBLE), false)`),
  isfinite: ([value]) => sql("bool", `coalesce(isfinite((${value?.text})::DOUBLE), false)`),
  max_of: extreme("greatest"),
  min_of: extreme("least"),
  binary_and: ([a, b]) => sql("long", `(${a?.text} & ${b?.text})`),
  binary_or: ([a, b]) => sql("long", `(${a?.text} | ${b?.text})`),
  binary_xor: ([a, b]) => sql("long", `xor(${a?.text}, ${b?.text})`),
  binary_shift_left: ([a, by]) => shiftedBits("<<", a, by),
  binary_shift_right: ([a, by]) => shiftedBits(">>", a, by),
  new_guid: () => sql("guid", "uuid()::VARCHAR"),
  assert: ([condition, message]) =>
    sql("bool", `(CASE WHEN ${condition?.text} THEN true ELSE error(${message?.text})::BOOLEAN END)`),
  binary_not: ([a]) => sql("long", `(~${a?.text})`),
  bitset_count_ones: ([a]) => sql("long", `bit_count(${a?.text})::BIGINT`),
};

/** Shifts by a multiple of 64 more are the same; a negative shift is null. */
function shiftedBits(operator: "<<" | ">>", value: Sql | undefined, by: Sql | undefined): Sql {
  const places = `(CASE WHEN ${by?.text} >= 0 THEN ${by?.text} % 64 END)`;
  if (operator === ">>") return sql("long", `((${value?.text})::BIGINT >> ${places}::INTEGER)`);
  const shifted = `(((${value?.text})::BIGINT)::HUGEINT * (1::HUGEINT << ${places}::INTEGER))`;
  return sql("long", wrap64(shifted));
}

function positive(size: Sql): string {
  if (typeof size.constant === "bigint" && size.constant > 0n) return size.text;
  return `(CASE WHEN ${size.text} > 0 THEN ${size.text} END)`;
}

/** Widths that DuckDB truncates to faster than we divide; bins of these start where bins from 0001 do. */
const truncations: ReadonlyMap<bigint, string> = new Map([
  [864_000_000_000n, "day"],
  [36_000_000_000n, "hour"],
  [600_000_000n, "minute"],
  [10_000_000n, "second"],
]);

/** Bins of times count from 0001-01-01. */
function binned(value: Sql, size: Sql): Sql {
  if (typeof size.constant === "bigint" && size.constant > 0n && value.timestamp && size.constant % 10n === 0n) {
    const unit = truncations.get(size.constant);
    if (unit !== undefined) {
      return sql("datetime", `date_trunc('${unit}', ${value.text})::TIMESTAMP`, { timestamp: true });
    }
    const micro = `epoch_us(${value.text})`;
    const rest = `(${micro} + ${epochMicroseconds}) % ${size.constant / 10n}`;
    return sql("datetime", `make_timestamp(${micro} - ${rest})`, { timestamp: true });
  }
  if (value.timestamp) {
    return sql("datetime", `(${ticks(value)} - ${ticks(value)} % ${positive(size)})`);
  }
  return sql("datetime", `(${value.text} - ${value.text} % ${positive(size)})`);
}
