// Reading texts and dynamic values as numbers, times, guids; decimals with all their digits.

import { dynamicToText, type Dynamic } from "../values/dynamic.ts";
import { readDatetime } from "../values/read-datetime.ts";
import { parseLong, parseReal } from "../values/real.ts";
import { parseTimespan } from "../values/ticks.ts";
import { text, type RuntimeFunction } from "./value.ts";

const longest = 2n ** 63n - 1n;

function toLong(value: Dynamic): bigint | null {
  if (typeof value === "bigint") return value;
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "string") return parseLong(value);
  if (typeof value !== "number" || !Number.isFinite(value)) return null;
  if (value >= 2 ** 63) return longest;
  return value <= -(2 ** 63) ? -longest - 1n : BigInt(Math.trunc(value));
}

const scale = 18;
const unit = 10n ** BigInt(scale);

function scaled(value: Dynamic): bigint | null {
  const match = /^(-?)(\d*)\.?(\d*)$/.exec(text(value).trim());
  if (match === null) return null;
  const size = BigInt(`${match[2] ?? ""}${(match[3] ?? "").padEnd(scale, "0").slice(0, scale)}` || "0");
  return match[1] === "-" ? -size : size;
}

function unscaled(value: bigint): string {
  const size = (value < 0n ? -value : value).toString().padStart(scale + 1, "0");
  return `${value < 0n ? "-" : ""}${size.slice(0, -scale)}.${size.slice(-scale)}`;
}

export const conversionFunctions: Readonly<Record<string, RuntimeFunction>> = {
  tolong: ([value = null]) => toLong(value),
  toint: ([value = null]) => {
    const long = toLong(value);
    if (long === null) return null;
    if (typeof value === "string" && BigInt.asIntN(32, long) !== long) return null;
    if (typeof value === "number" && BigInt.asIntN(32, long) !== long)
      return value > 0 ? 2_147_483_647n : -2_147_483_648n;
    return BigInt.asIntN(32, long);
  },
  toreal: ([value = null]) => {
    if (typeof value === "string") {
      return parseReal(value);
    }
    if (typeof value === "boolean") return value ? 1 : 0;
    return typeof value === "bigint" || typeof value === "number" ? Number(value) : null;
  },
  tobool: ([value = null]) => {
    if (typeof value === "boolean") return value;
    if (typeof value === "bigint" || typeof value === "number") return Number(value) !== 0;
    const word = text(value).trim().toLowerCase();
    if (word === "true" || word === "false") return word === "true";
    return parseLong(word) === null ? null : parseLong(word) !== 0n;
  },
  todatetime: ([value = null]) => readDatetime(text(value)),
  totimespan: ([value = null]) => parseTimespan(text(value)),
  toguid: ([value = null]) => {
    const digits = text(value)
      .trim()
      .replaceAll(/[{}()-]/g, "")
      .toLowerCase();
    if (!/^[0-9a-f]{32}$/.test(digits)) return null;
    return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  },
  long_multiply: ([a, b]) => (typeof a === "bigint" && typeof b === "bigint" ? BigInt.asIntN(64, a * b) : null),
  decimal_multiply: ([a = null, b = null]) => {
    const [x, y] = [scaled(a), scaled(b)];
    return x === null || y === null ? null : unscaled((x * y) / unit);
  },
  decimal_divide: ([a = null, b = null]) => {
    const [x, y] = [scaled(a), scaled(b)];
    return x === null || y === null || y === 0n ? null : unscaled((x * unit) / y);
  },
  tostring: ([value = null]) => dynamicToText(value),
};
