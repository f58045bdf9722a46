// Arithmetic over remembered values, by the rules of the language: whole division, a remainder that is
// never negative, null for division by zero, long numbers that wrap.

import type { ScalarType } from "../../types.ts";
import type { WalkValue } from "./values.ts";

/** Neither side is null, and both are of one kind unless a time span meets a number. */
export type Binary = (left: bigint | number, right: bigint | number) => WalkValue;

const lastTick = 3_155_378_975_999_999_999n;

/** A whole result in the range of its type. */
function whole(type: ScalarType, value: bigint): WalkValue {
  if (type === "datetime") return value >= 0n && value <= lastTick ? value : null;
  const wrapped = BigInt.asIntN(64, value);
  if (type === "timespan" && wrapped !== value) throw new Error("a time span outgrew 64 bits in scan");
  return wrapped;
}

const magnitude = (value: bigint): bigint => (value < 0n ? -value : value);

/** The part of a real number before the point as ticks; null where they do not hold it. */
function truncated(value: number): WalkValue {
  if (!Number.isFinite(value)) return null;
  const ticks = BigInt(Math.trunc(value));
  return BigInt.asIntN(64, ticks) === ticks ? ticks : null;
}

type Operation = "add" | "subtract" | "multiply" | "divide" | "modulo" | "bin";

const wholes: Readonly<Record<Operation, (left: bigint, right: bigint) => bigint | null>> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => (b === 0n ? null : a / b),
  modulo: (a, b) => (b === 0n ? null : ((a % b) + magnitude(b)) % magnitude(b)),
  bin: (a, b) => (b <= 0n ? null : a - (((a % b) + b) % b)),
};

const reals: Readonly<Record<Operation, (left: number, right: number) => number | null>> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  modulo: (a, b) => (b === 0 ? null : ((a % b) + Math.abs(b)) % Math.abs(b)),
  bin: (a, b) => (b === 0 ? null : Math.floor(a / b) * b),
};

const isOperation = (name: string): name is Operation => Object.hasOwn(wholes, name);

const numbers: ReadonlySet<ScalarType> = new Set(["int", "long", "real", "timespan", "datetime"]);

/** How two values of these types are calculated with, or undefined when that is left to others. */
export function arithmetic(name: string, type: ScalarType, [left, right]: readonly ScalarType[]): Binary | undefined {
  if (!isOperation(name) || left === undefined || right === undefined) return undefined;
  if (![type, left, right].every((each) => numbers.has(each))) return undefined;
  if (type === "real") {
    const run = reals[name];
    return (a, b) => run(Number(a), Number(b));
  }
  const spans = type === "timespan" && (name === "divide" || left === "real" || right === "real");
  if (spans && name === "divide") return (a, b) => (Number(b) === 0 ? null : truncated(Number(a) / Number(b)));
  if (spans && name === "multiply") return (a, b) => truncated(Number(a) * Number(b));
  if (left === "real" || right === "real") return undefined;
  const run = wholes[name];
  return (a, b) => {
    const value = run(BigInt(a), BigInt(b));
    return value === null ? null : whole(type, value);
  };
}
