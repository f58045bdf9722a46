// The functions and operators that a walk computes by itself, with the rules for null of the language.
// What is not here is computed before the walk or, where it reads remembered rows, elsewhere.

import type { ScalarType } from "../../types.ts";
import { arithmetic } from "./arithmetic.ts";
import { compare, type WalkValue } from "./values.ts";

export type Evaluate = () => WalkValue;

interface Signature {
  readonly type: ScalarType;
  readonly argTypes: readonly ScalarType[];
}

type Compile = (args: readonly Evaluate[], signature: Signature) => Evaluate;

interface WalkCall {
  readonly compile: Compile;
  readonly takes: (signature: Signature) => boolean;
}

/** Whether a walk can compute the call. */
export function isWalkCall(name: string, signature: Signature): boolean {
  return arithmetic(name, signature.type, signature.argTypes) !== undefined || calls[name]?.takes(signature) === true;
}

export function compileCall(name: string, args: readonly Evaluate[], signature: Signature): Evaluate {
  const binary = arithmetic(name, signature.type, signature.argTypes);
  const [left, right] = args;
  if (binary !== undefined && left !== undefined && right !== undefined) {
    return () => {
      const [a, b] = [left(), right()];
      return isNumber(a) && isNumber(b) ? binary(a, b) : null;
    };
  }
  const found = calls[name];
  if (found === undefined) throw new Error(`A walk has no function ${name}.`);
  return found.compile(args, signature);
}

const isNumber = (value: WalkValue): value is bigint | number => typeof value === "bigint" || typeof value === "number";

const opaque: ReadonlySet<ScalarType> = new Set(["decimal", "dynamic"]);
const computable = ({ argTypes }: Signature): boolean => argTypes.every((type) => !opaque.has(type));
const exact = ({ argTypes }: Signature): boolean => argTypes.every((type) => !opaque.has(type) && type !== "real");
const texts: ReadonlySet<ScalarType> = new Set(["string", "guid", "bool", "int", "long"]);
const textual = ({ argTypes }: Signature): boolean => argTypes.every((type) => texts.has(type));
const taking =
  (...types: readonly ScalarType[]) =>
  ({ argTypes }: Signature): boolean =>
    argTypes.length > 0 && argTypes.every((type) => types.includes(type));
const always = (): boolean => true;

const at = (args: readonly Evaluate[], index: number): Evaluate => args[index] ?? (() => null);

/** Null counts as not so. */
const equality =
  (negated: boolean): Compile =>
  (args) => {
    const [left, right] = [at(args, 0), at(args, 1)];
    return () => {
      const [a, b] = [left(), right()];
      return a === null && b === null ? null : (a === b) !== negated;
    };
  };

const ordering =
  (holds: (order: number) => boolean): Compile =>
  (args) => {
    const [left, right] = [at(args, 0), at(args, 1)];
    return () => {
      const [a, b] = [left(), right()];
      if (Number.isNaN(a) || Number.isNaN(b)) return false;
      return a === null || b === null ? null : holds(compare(a, b));
    };
  };

/** The other value decides when one is null, unless the known one does already. */
const junction =
  (deciding: boolean): Compile =>
  (args) => {
    const [left, right] = [at(args, 0), at(args, 1)];
    return () => {
      const a = left();
      if (a === deciding) return deciding;
      const b = right();
      if (b === deciding) return deciding;
      return a === null || b === null ? null : !deciding;
    };
  };

const nullness =
  (wanted: boolean): Compile =>
  (args) => {
    const value = at(args, 0);
    return () => (value() === null) === wanted;
  };

const emptiness =
  (wanted: boolean): Compile =>
  (args) => {
    const value = at(args, 0);
    return () => {
      const found = value();
      return (found === null || found === "") === wanted;
    };
  };

/** Conditions and values in turn; the last value stands for everything else. */
const choice: Compile = (args) => {
  const otherwise = at(args, args.length - 1);
  return () => {
    for (let index = 0; index + 1 < args.length; index += 2) {
      if (at(args, index)() === true) return at(args, index + 1)();
    }
    return otherwise();
  };
};

const coalesce: Compile = (args, { type }) => {
  const absent = type === "string" ? "" : null;
  return () => {
    for (const arg of args) {
      const value = arg();
      if (value !== null && value !== absent) return value;
    }
    return absent;
  };
};

const extreme =
  (sign: number): Compile =>
  (args) =>
  () => {
    let best: WalkValue = null;
    for (const arg of args) {
      const value = arg();
      if (value !== null && (best === null || compare(value, best) * sign > 0)) best = value;
    }
    return best;
  };

const converted =
  (convert: (value: Exclude<WalkValue, null>) => WalkValue): Compile =>
  (args) => {
    const value = at(args, 0);
    return () => {
      const found = value();
      return found === null ? null : convert(found);
    };
  };

/** Texts grow from row to row; what does not fit is refused. */
const longestText = 32 * 1024 * 1024;

function shown(value: WalkValue): string {
  if (value === null) return "";
  return typeof value === "boolean" ? (value ? "True" : "False") : String(value);
}

const joined: Compile = (args) => () => {
  let text = "";
  for (const arg of args) {
    text += shown(arg());
    if (text.length > longestText) throw new Error(`memory limit: a text of ${text.length} characters in scan`);
  }
  return text;
};

const calls: Readonly<Record<string, WalkCall>> = {
  equal: { compile: equality(false), takes: computable },
  notEqual: { compile: equality(true), takes: computable },
  less: { compile: ordering((order) => order < 0), takes: computable },
  lessOrEqual: { compile: ordering((order) => order <= 0), takes: computable },
  greater: { compile: ordering((order) => order > 0), takes: computable },
  greaterOrEqual: { compile: ordering((order) => order >= 0), takes: computable },
  and: { compile: junction(false), takes: always },
  or: { compile: junction(true), takes: always },
  not: { compile: converted((value) => value !== true), takes: taking("bool") },
  between: {
    compile: ([value, from, to]) => {
      const pair = (bound: Evaluate | undefined): Evaluate[] => [value ?? (() => null), bound ?? (() => null)];
      const signature: Signature = { type: "bool", argTypes: [] };
      const low = ordering((order) => order >= 0)(pair(from), signature);
      const high = ordering((order) => order <= 0)(pair(to), signature);
      return junction(false)([low, high], signature);
    },
    takes: exact,
  },
  in: {
    compile: ([value, ...list]) => {
      return () => {
        const wanted = value?.() ?? null;
        return wanted !== null && list.some((item) => item() === wanted);
      };
    },
    takes: exact,
  },
  isnull: { compile: nullness(true), takes: computable },
  isnotnull: { compile: nullness(false), takes: computable },
  isempty: { compile: emptiness(true), takes: computable },
  isnotempty: { compile: emptiness(false), takes: computable },
  iff: { compile: choice, takes: always },
  case: { compile: choice, takes: always },
  coalesce: { compile: coalesce, takes: ({ type }) => type !== "dynamic" },
  max_of: { compile: extreme(1), takes: exact },
  min_of: { compile: extreme(-1), takes: exact },
  negate: {
    compile: converted((value) => (typeof value === "bigint" ? BigInt.asIntN(64, -value) : -Number(value))),
    takes: taking("long", "real"),
  },
  abs: {
    compile: converted((value) =>
      typeof value === "bigint" ? (value < 0n ? -value : value) : Math.abs(Number(value)),
    ),
    takes: taking("real"),
  },
  tolong: {
    compile: converted((value) => (typeof value === "boolean" ? (value ? 1n : 0n) : value)),
    takes: taking("int", "long", "bool", "timespan", "datetime"),
  },
  toreal: {
    compile: converted((value) => Number(value)),
    takes: taking("int", "long", "real", "bool", "timespan", "datetime"),
  },
  tostring: { compile: joined, takes: textual },
  strcat: { compile: joined, takes: textual },
  strlen: { compile: converted((value) => BigInt([...String(value)].length)), takes: taking("string") },
};
