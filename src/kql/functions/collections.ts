// Arrays and bags.

import {
  dynamicEquals,
  dynamicToText,
  formatDynamic,
  isNumber,
  parseDynamic,
  type Dynamic,
} from "../values/dynamic.ts";
import { bag, integer, list, text, type RuntimeFunction } from "./value.ts";

/** A value that is the same for equal elements. */
const identity = (value: Dynamic): string => (isNumber(value) ? `n${Number(value)}` : formatDynamic(value));

function distinct(values: readonly Dynamic[]): Dynamic[] {
  const seen = new Map<string, Dynamic>();
  for (const value of values) {
    const key = identity(value);
    if (!seen.has(key)) seen.set(key, value);
  }
  return [...seen.values()];
}

/** The first bag that has a key decides its value. */
function mergeBags(bags: readonly Dynamic[]): Map<string, Dynamic> {
  const merged = new Map<string, Dynamic>();
  for (const one of bags) {
    for (const [key, value] of bag(one) ?? []) if (!merged.has(key)) merged.set(key, value);
  }
  return merged;
}

function rotated(values: Dynamic[], by: number): Dynamic[] {
  if (values.length === 0) return values;
  const at = ((by % values.length) + values.length) % values.length;
  return [...values.slice(at), ...values.slice(0, at)];
}

function shifted(values: Dynamic[], by: number, filler: Dynamic): Dynamic[] {
  const padding = Array.from({ length: Math.min(Math.abs(by), values.length) }, () => filler);
  return by >= 0 ? [...values.slice(by), ...padding] : [...padding, ...values.slice(0, values.length + by)];
}

const clamp = (index: number, length: number): number => (index < 0 ? Math.max(index + length, -1) : index);

/** Numbers before texts; within a kind by size, texts by code point. */
function compare(left: Dynamic, right: Dynamic): number {
  if (isNumber(left) && isNumber(right)) return Number(left) - Number(right);
  const [a, b] = [dynamicToText(left), dynamicToText(right)];
  return a < b ? -1 : a > b ? 1 : 0;
}

function arraysSorted(args: readonly Dynamic[]): Dynamic {
  const [ascending, first, ...rest] = args;
  const keys = list(first);
  if (keys === undefined) return null;
  const last = rest.at(-1);
  const nullsLast = typeof last === "boolean" ? last : true;
  const order = keys
    .map((value, index) => ({ value, index }))
    .toSorted((a, b) => {
      if (a.value === null || b.value === null) {
        if (a.value === b.value) return a.index - b.index;
        return (a.value === null) === nullsLast ? 1 : -1;
      }
      const difference = compare(a.value, b.value);
      return (ascending === true ? difference : -difference) || a.index - b.index;
    })
    .map(({ index }) => index);
  const arrays = [first, ...rest.filter((item) => typeof item !== "boolean")];
  return arrays.map((array) => {
    const values = list(array ?? null);
    return values === undefined || values.length !== keys.length ? null : order.map((index) => values[index] ?? null);
  });
}

function split(values: Dynamic[], at: Dynamic): Dynamic {
  const points = (list(at) ?? [at]).map((point) => clamp(integer(point), values.length));
  const pieces: Dynamic[] = [];
  let start = 0;
  for (const point of points) {
    const end = Math.max(Math.min(point, values.length), start);
    pieces.push(values.slice(start, end));
    start = end;
  }
  return [...pieces, values.slice(start)];
}

function removeKey(value: Map<string, Dynamic>, path: readonly string[]): Map<string, Dynamic> {
  const [head, ...rest] = path;
  const copy = new Map(value);
  if (head === undefined) return copy;
  if (rest.length === 0) copy.delete(head);
  else {
    const inner = copy.get(head);
    if (inner instanceof Map) copy.set(head, removeKey(inner, rest));
  }
  return copy;
}

/** What stands in the way of the path and is no bag becomes one. */
function setKey(value: Map<string, Dynamic>, path: readonly string[], item: Dynamic): Map<string, Dynamic> {
  const [head, ...rest] = path;
  if (head === undefined) return value;
  const inner = value.get(head);
  return new Map(value).set(head, rest.length === 0 ? item : setKey(bag(inner) ?? new Map(), rest, item));
}

const pathOf = (key: string): readonly string[] =>
  key.startsWith("$.")
    ? key
        .slice(2)
        .split(".")
        .map((part) => part.replaceAll(/^\['|'\]$/g, ""))
    : [key];

function sets(args: readonly Dynamic[], combine: (first: Dynamic[], others: Set<string>[]) => Dynamic[]): Dynamic {
  const arrays = args.map((arg) => list(arg));
  const [first, ...others] = arrays;
  if (first === undefined || others.includes(undefined)) return null;
  return combine(
    distinct(first),
    others.map((other) => new Set((other ?? []).map(identity))),
  );
}

export const collectionFunctions: Readonly<Record<string, RuntimeFunction>> = {
  arraysSorted,
  set_of_list: ([values]) =>
    distinct((list(values) ?? []).flatMap((value) => (Array.isArray(value) ? value : [value]))),
  flatten: ([values]) => (list(values) ?? []).flatMap((value) => value),
  array_head: ([values, size]) => (list(values) ?? []).slice(0, integer(size)),
  merge_bags: ([bags]) => mergeBags(list(bags) ?? []),
  array_concat: (args) =>
    args.every((arg) => list(arg) === undefined) ? null : args.flatMap((arg) => list(arg) ?? []),
  array_reverse: ([values]) => list(values)?.toReversed() ?? null,
  array_rotate_left: ([values, by]) => (list(values) === undefined ? null : rotated(list(values) ?? [], integer(by))),
  array_rotate_right: ([values, by]) => (list(values) === undefined ? null : rotated(list(values) ?? [], -integer(by))),
  array_shift_left: ([values, by, filler = null]) =>
    list(values) === undefined ? null : shifted(list(values) ?? [], integer(by), filler),
  array_shift_right: ([values, by, filler = null]) =>
    list(values) === undefined ? null : shifted(list(values) ?? [], -integer(by), filler),
  array_slice: ([values, from, to]) => {
    const found = list(values);
    if (found === undefined) return null;
    const start = Math.max(clamp(integer(from), found.length), 0);
    return found.slice(start, clamp(integer(to, found.length), found.length) + 1);
  },
  array_split: ([values, at = null]) => (list(values) === undefined ? null : split(list(values) ?? [], at)),
  array_sum: ([values]) => {
    const numbers = (list(values) ?? []).filter((value) => value !== null);
    if (list(values) === undefined || !numbers.every(isNumber)) return null;
    return numbers.reduce<number>((sum, value) => sum + Number(value), 0);
  },
  array_index_of: ([values, wanted = null, start, length, occurrence]) => {
    const found = list(values);
    if (found === undefined) return null;
    const from = Math.max(clamp(integer(start), found.length), 0);
    const size = integer(length, -1);
    const end = size < 0 ? found.length : Math.min(found.length, from + size);
    let remaining = integer(occurrence, 1);
    for (let index = from; index < end; index += 1) {
      if (!dynamicEquals(found[index] ?? null, wanted)) continue;
      remaining -= 1;
      if (remaining === 0) return BigInt(index);
    }
    return -1n;
  },
  array_iff: ([conditions, whenTrue = null, whenFalse = null]) => {
    const found = list(conditions);
    if (found === undefined) return null;
    return found.map((condition, index) => {
      if (condition === null) return null;
      const isTrue =
        typeof condition === "boolean" ? condition : isNumber(condition) ? Number(condition) !== 0 : undefined;
      if (isTrue === undefined) return null;
      const branch = isTrue ? whenTrue : whenFalse;
      return Array.isArray(branch) ? (branch[index] ?? null) : branch;
    });
  },
  strcat_array: ([values, delimiter]) => {
    const found = list(values);
    return found === undefined ? "" : found.map(dynamicToText).join(text(delimiter));
  },
  set_union: (args) => {
    const arrays = args.map((arg) => list(arg));
    return arrays.includes(undefined) ? null : distinct(arrays.flatMap((array) => array ?? []));
  },
  set_intersect: (args) =>
    sets(args, (first, others) => first.filter((value) => others.every((other) => other.has(identity(value))))),
  set_difference: (args) =>
    sets(args, (first, others) => first.filter((value) => others.every((other) => !other.has(identity(value))))),
  set_equals: ([left, right]) => {
    const [a, b] = [list(left), list(right)];
    if (a === undefined || b === undefined) return null;
    const [x, y] = [new Set(a.map(identity)), new Set(b.map(identity))];
    return x.size === y.size && [...x].every((key) => y.has(key));
  },
  jaccard_index: ([left, right]) => {
    const [a, b] = [list(left), list(right)];
    if (a === undefined || b === undefined) return null;
    const [x, y] = [new Set(a.map(identity)), new Set(b.map(identity))];
    return [...x].filter((key) => y.has(key)).length / new Set([...x, ...y]).size;
  },
  set_has_element: ([values, wanted = null]) =>
    list(values) === undefined ? null : (list(values) ?? []).some((value) => dynamicEquals(value, wanted)),
  inArray: ([value = null, values]) => (list(values) ?? []).some((item) => dynamicEquals(item, value)),
  inIgnoreCaseArray: ([value = null, values]) =>
    (list(values) ?? []).some((item) => dynamicToText(item).toLowerCase() === dynamicToText(value).toLowerCase()),
  zip: (args) => {
    const arrays = args.map((arg) => list(arg) ?? []);
    const length = Math.max(...arrays.map((array) => array.length));
    return Array.from({ length }, (_, index) => arrays.map((array) => array[index] ?? null));
  },
  bag_keys: ([value]) => {
    const found = bag(value);
    return found === undefined ? null : [...found.keys()];
  },
  bag_has_key: ([value, key]) => {
    const found = bag(value);
    if (found === undefined) return null;
    let at: Dynamic | undefined = found;
    for (const part of pathOf(text(key))) at = at instanceof Map ? at.get(part) : undefined;
    return at !== undefined;
  },
  bag_merge: (args) => (args.some((arg) => bag(arg) !== undefined) ? mergeBags(args) : null),
  bag_remove_keys: ([value, keys]) => {
    const found = bag(value);
    if (found === undefined) return null;
    return (list(keys) ?? []).reduce<Map<string, Dynamic>>((left, key) => removeKey(left, pathOf(text(key))), found);
  },
  bag_set_key: ([value, key, item = null]) => {
    const found = bag(value);
    return found === undefined ? null : setKey(found, pathOf(text(key)), item);
  },
  bag_zip: ([keys, values]) => {
    const names = list(keys);
    if (names === undefined) return null;
    const found = new Map<string, Dynamic>();
    names.forEach((name, index) => {
      if (typeof name === "string") found.set(name, list(values)?.[index] ?? null);
    });
    return found;
  },
  bag_pack: (args) => packed(args, false),
  pack_present: (args) => packed(args, true),
  member: ([value, key]) => bag(value)?.get(text(key)) ?? null,
  elementByValue: ([value, key]) => {
    if (typeof key === "string") return bag(value)?.get(key) ?? null;
    return list(value)?.at(integer(key)) ?? null;
  },
  tojson: ([value = null]) => value,
  dynamic_to_json: ([value = null]) => formatDynamic(sortedKeys(value)),
  range: ([from = null, to = null, step = 1n]) => numbers(from, to, step),
  repeat: ([value = null, times]) =>
    Array.from({ length: Math.min(Math.max(integer(times), 0), longestRange) }, () => value),
  split: ([value, delimiter, index]) => {
    const parts = text(delimiter) === "" ? [text(value)] : text(value).split(text(delimiter));
    if (index === undefined || index === null) return parts;
    const part = parts.at(integer(index));
    return part === undefined || integer(index) < 0 ? [] : [part];
  },
  parse_json_text: ([value]) => parseDynamic(text(value)) ?? text(value),
};

function packed(args: readonly Dynamic[], ignoreEmpty: boolean): Map<string, Dynamic> {
  const found = new Map<string, Dynamic>();
  for (let index = 0; index + 1 < args.length; index += 2) {
    const value = args[index + 1] ?? null;
    if (ignoreEmpty && (value === null || value === "")) continue;
    found.set(text(args[index]), value);
  }
  return found;
}

function sortedKeys(value: Dynamic): Dynamic {
  if (Array.isArray(value)) return value.map(sortedKeys);
  if (!(value instanceof Map)) return value;
  const entries = [...value].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return new Map(entries.map(([key, item]) => [key, sortedKeys(item)]));
}

const longestRange = 1_048_576;

function numbers(from: Dynamic, to: Dynamic, step: Dynamic): Dynamic {
  if (!isNumber(from) || !isNumber(to) || !isNumber(step) || Number(step) === 0) return null;
  const whole = typeof from === "bigint" && typeof step === "bigint";
  const count = Math.floor((Number(to) - Number(from)) / Number(step) + 1e-9) + 1;
  if (!(count > 0)) return [];
  return Array.from({ length: Math.min(count, longestRange) }, (_, index) =>
    whole ? from + BigInt(index) * step : Number(from) + index * Number(step),
  );
}
