// Comparison, logic, null and choice.

import { floorDivide } from "../../values/ticks.ts";
import type { FunctionEmitter } from "../context.ts";
import { literalSql, plain, quoteText, sql, ticks, type Sql } from "../sql.ts";

/** A comparison of two values of one type; both sides as they are stored where that is possible. */
export function compareSql(operator: string, left: Sql, right: Sql): string {
  if (left.type === "datetime" && left.timestamp !== right.timestamp) {
    const stored = left.timestamp ? left : right;
    const other = left.timestamp ? right : left;
    if (typeof other.constant === "bigint" && other.constant % 10n === 0n) {
      const literal = timestampLiteral(other.constant);
      return left.timestamp ? `(${stored.text} ${operator} ${literal})` : `(${literal} ${operator} ${stored.text})`;
    }
    if (typeof other.constant === "bigint" && operator !== "=") {
      // No stored time is between two microseconds: on this side of the one before, or beyond it.
      const isBelow = operator.startsWith("<") === left.timestamp;
      return `(${stored.text} ${isBelow ? "<=" : ">"} ${timestampLiteral(floorDivide(other.constant, 10n) * 10n)})`;
    }
    return `(${ticks(left)} ${operator} ${ticks(right)})`;
  }
  if (left.type === "string") {
    const bareLeft =
      right.constant !== undefined && right.constant !== "" && operator === "=" ? left.text : plain(left);
    const bareRight =
      left.constant !== undefined && left.constant !== "" && operator === "=" ? right.text : plain(right);
    return `(${bareLeft} ${operator} ${bareRight})`;
  }
  return `(${left.text} ${operator} ${right.text})`;
}

function timestampLiteral(value: bigint): string {
  return `make_timestamp(${value / 10n - 62_135_596_800_000_000n})`;
}

export function inList(value: Sql, list: readonly Sql[]): string {
  if (value.timestamp) {
    const exact = list.every(({ constant }) => typeof constant === "bigint" && constant % 10n === 0n);
    if (!exact) return `(${ticks(value)} IN (${list.map(plain).join(", ")}))`;
    return `(${value.text} IN (${list.map(({ constant }) => timestampLiteral(constant as bigint)).join(", ")}))`;
  }
  return `(${value.text} IN (${list.map(plain).join(", ")}))`;
}

const isNull = (value: Sql): string => (value.type === "dynamic" ? dynamicIsNull(value) : `${value.text} IS NULL`);

function dynamicIsNull(value: Sql): string {
  return `coalesce(json_type(${value.text}) = 'NULL', true)`;
}

const neverNull = (value: Sql): boolean =>
  (value.type === "string" && !value.nullable) || (value.constant !== undefined && value.constant !== null);

/** `==` and `!=`: a null on one side is unequal, on both sides it is null. */
function equality(negated: boolean): FunctionEmitter {
  return ([left, right]) => {
    if (left === undefined || right === undefined) return undefined as never;
    if (left.constant === null && right.constant === null) return literalSql("bool", null);
    const equal = equalSql(left, right);
    if (neverNull(left) && neverNull(right)) return sql("bool", negated ? `(NOT ${equal})` : equal);
    const oneSided = negated ? `coalesce(NOT ${equal}, true)` : `coalesce(${equal}, false)`;
    // Where the storage has no text, there is the empty one.
    if (left.type === "string" && right.type === "string") return sql("bool", oneSided);
    if (neverNull(left) || neverNull(right)) return sql("bool", oneSided);
    return sql("bool", `(CASE WHEN ${isNull(left)} AND ${isNull(right)} THEN NULL ELSE ${oneSided} END)`);
  };
}

function equalSql(left: Sql, right: Sql): string {
  if (left.type === "dynamic") return `(${left.text}::VARCHAR = ${right.text}::VARCHAR)`;
  const equal = compareSql("=", left, right);
  if (left.type !== "real") return equal;
  const tests = [left, right].filter(({ constant }) => constant === undefined || Number.isNaN(constant));
  return `(${[equal, ...tests.map(({ text }) => `NOT isnan(${text})`)].join(" AND ")})`;
}

function ordering(operator: string): FunctionEmitter {
  return ([left, right]) => {
    if (left === undefined || right === undefined) return undefined as never;
    const text = compareSql(operator, left, right);
    if (left.type !== "real") return sql("bool", text);
    const tests = [left, right].filter(({ constant }) => constant === undefined || Number.isNaN(constant));
    return sql(
      "bool",
      tests.length === 0 ? text : `(${[text, ...tests.map((side) => `NOT isnan(${side.text})`)].join(" AND ")})`,
    );
  };
}

/** Brings the branches of a choice to one form. */
function branch(values: readonly Sql[]): { readonly texts: readonly string[]; readonly timestamp: boolean } {
  const timestamp = values.every((value) => value.timestamp || (value.type === "datetime" && value.constant === null));
  if (timestamp && values.some((value) => value.timestamp)) {
    return { texts: values.map((value) => (value.timestamp ? value.text : "NULL::TIMESTAMP")), timestamp };
  }
  return { texts: values.map(plain), timestamp: false };
}

export const logicFunctions: Readonly<Record<string, FunctionEmitter>> = {
  and: ([left, right]) => sql("bool", `(${left?.text} AND ${right?.text})`),
  or: ([left, right]) => sql("bool", `(${left?.text} OR ${right?.text})`),
  not: ([value]) => sql("bool", `(NOT ${value?.text})`),
  equal: equality(false),
  notEqual: equality(true),
  less: ordering("<"),
  lessOrEqual: ordering("<="),
  greater: ordering(">"),
  greaterOrEqual: ordering(">="),
  between: ([value, from, to]) => {
    if (value === undefined || from === undefined || to === undefined) return undefined as never;
    return sql("bool", `(${compareSql(">=", value, from)} AND ${compareSql("<=", value, to)})`);
  },
  in: ([value, ...list]) => {
    if (value === undefined) return undefined as never;
    const present = list.filter(({ constant }) => constant !== null);
    const text = `coalesce(${plain(value)} IN (${present.length === 0 ? `NULL` : present.map(plain).join(", ")}), false)`;
    return sql("bool", value.type === "string" ? text.replace(/^coalesce\((.*), false\)$/s, "($1)") : text);
  },
  inIgnoreCase: ([value, ...list]) => {
    if (value === undefined) return undefined as never;
    const items = list.map((item) =>
      typeof item.constant === "string" ? quoteText(item.constant.toLowerCase()) : `lower(${plain(item)}::VARCHAR)`,
    );
    return sql("bool", `(lower(${plain(value)}::VARCHAR) IN (${items.join(", ")}))`);
  },
  isnull: ([value]) => {
    if (value === undefined) return undefined as never;
    return sql("bool", value.type === "string" ? "false" : `(${isNull(value)})`);
  },
  isnotnull: ([value]) => {
    if (value === undefined) return undefined as never;
    return sql("bool", value.type === "string" ? "true" : `(NOT (${isNull(value)}))`);
  },
  isempty: ([value]) => emptiness(value, ""),
  isnotempty: ([value]) => emptiness(value, "NOT "),
  iff: (_args, call, emitter) => {
    const [condition, ...branches] = call.args;
    if (condition === undefined) return undefined as never;
    const { texts, timestamp } = branch(branches.map((item) => emitter.value(item)));
    return sql(call.type, `(CASE WHEN ${emitter.predicate(condition)} THEN ${texts[0]} ELSE ${texts[1]} END)`, {
      timestamp,
    });
  },
  case: (args, call, emitter) => {
    const values = args.filter((_, index) => index % 2 === 1 || index === args.length - 1);
    const { texts, timestamp } = branch(values);
    const arms = texts.slice(0, -1).map((text, index) => {
      const condition = call.args[index * 2];
      return condition === undefined ? "" : `WHEN ${emitter.predicate(condition)} THEN ${text}`;
    });
    return sql(call.type, `(CASE ${arms.join(" ")} ELSE ${texts.at(-1)} END)`, { timestamp });
  },
  coalesce: (args, call) => {
    if (call.type === "string") {
      return sql("string", `coalesce(${args.map((arg) => `nullif(${plain(arg)}, '')`).join(", ")}, '')`);
    }
    if (call.type === "dynamic") {
      return sql(
        "dynamic",
        `coalesce(${args.map((arg) => `(CASE WHEN ${dynamicIsNull(arg)} THEN NULL ELSE ${arg.text} END)`).join(", ")})`,
      );
    }
    const { texts, timestamp } = branch(args);
    return sql(call.type, `coalesce(${texts.join(", ")})`, { timestamp });
  },
};

function emptiness(value: Sql | undefined, not: string): Sql {
  if (value === undefined) return undefined as never;
  if (value.type === "string") return sql("bool", `(${plain(value)} ${not === "" ? "=" : "<>"} '')`);
  if (value.type === "dynamic") {
    return sql("bool", `(${not}(coalesce(json_type(${value.text}) = 'NULL' OR ${value.text}::VARCHAR = '""', true)))`);
  }
  return sql("bool", `(${not}(${value.text} IS NULL))`);
}
