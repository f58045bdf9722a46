// Functions of arrays, most of which take strings too.

import { findMember, isObject, type Json, type JsonObject, newObject } from "../../relaxed-json/json.ts";
import { getElement, toText, typeName, valuesEqual } from "../expression/values.ts";
import { arrayAt, integerAt, refuse, sequenceAt, textAt, unexpected } from "./arguments.ts";
import { any, type BuiltIn, type BuiltInTable, eager } from "./built-in.ts";
import { valueSet } from "./value-set.ts";

export const collectionFunctions: BuiltInTable = {
  array: eager(1, 1, ([value = null]) => (Array.isArray(value) ? value : [value])),
  createArray: eager(0, any, (args) => [...args]),
  concat: eager(0, any, (args, context, name) => {
    if (args.some(Array.isArray)) {
      const arrays = args.map((_, index) => arrayAt(name, args, index));
      context.budget.reserve(arrays.reduce((sum, array) => sum + array.length * 8, 0));
      return arrays.flat(1);
    }
    if (args.some(isObject)) throw refuse(name, "the parameters must be all arrays or all strings");
    const texts = args.map(toText);
    context.budget.reserve(texts.reduce((sum, text) => sum + text.length, 0));
    return texts.join("");
  }),
  contains: eager(2, 2, (args, _context, name) => {
    const [container = null, wanted = null] = args;
    if (typeof container === "string") return container.includes(toText(wanted));
    if (Array.isArray(container)) return container.some((element) => valuesEqual(element, wanted));
    if (isObject(container)) return findMember(container, textAt(name, args, 1)) !== undefined;
    throw unexpected(name, 0, "an array, an object or a string", args);
  }),
  empty: eager(1, 1, (args, _context, name) => {
    const [value = null] = args;
    if (value === null) return true;
    if (typeof value === "string" || Array.isArray(value)) return value.length === 0;
    if (isObject(value)) return Object.keys(value).length === 0;
    throw unexpected(name, 0, "an array, an object or a string", args);
  }),
  length: eager(1, 1, (args, _context, name) => {
    const [value = null] = args;
    if (typeof value === "string" || Array.isArray(value)) return value.length;
    if (isObject(value)) return Object.keys(value).length;
    throw unexpected(name, 0, "an array, an object or a string", args);
  }),
  first: eager(1, 1, (args, _context, name) => edge(sequenceAt(name, args, 0), 0)),
  last: eager(1, 1, (args, _context, name) => edge(sequenceAt(name, args, 0), -1)),
  skip: eager(
    2,
    2,
    (args, _context, name) => sequenceAt(name, args, 0).slice(Math.max(0, integerAt(name, args, 1))) as Json,
  ),
  take: eager(
    2,
    2,
    (args, _context, name) => sequenceAt(name, args, 0).slice(0, Math.max(0, integerAt(name, args, 1))) as Json,
  ),
  indexOf: indexFunction(
    (values, wanted) => values.findIndex((value) => valuesEqual(value, wanted)),
    (text, wanted) => text.indexOf(wanted),
  ),
  lastIndexOf: indexFunction(
    (values, wanted) => values.findLastIndex((value) => valuesEqual(value, wanted)),
    (text, wanted) => text.lastIndexOf(wanted),
  ),
  indexFromEnd: eager(2, 2, (args, _context, name) => {
    const array = arrayAt(name, args, 0);
    return getElement([...array], array.length - integerAt(name, args, 1));
  }),
  tryIndexFromEnd: eager(2, 2, (args, _context, name) => {
    const array = arrayAt(name, args, 0);
    const position = integerAt(name, args, 1);
    return position < 1 ? null : (array[array.length - position] ?? null);
  }),
  tryGet: eager(2, any, ([target = null, ...path]) => {
    let value: Json = target;
    for (const step of path) value = tryStep(value, step);
    return value;
  }),
  flatten: eager(1, 1, (args, context, name) => {
    const arrays = arrayAt(name, args, 0).map((_, index, all) => arrayAt(name, all, index));
    context.budget.reserve(arrays.reduce((sum, array) => sum + array.length * 8, 0));
    return arrays.flat(1);
  }),
  union: eager(1, any, (args, context, name) => {
    if (args.every(isObject)) return args.reduce((left, right) => mergeDeep(left, right), newObject());
    const seen = valueSet();
    const arrays = args.map((_, index) => arrayAt(name, args, index));
    context.budget.reserve(arrays.reduce((sum, array) => sum + array.length * 8, 0));
    return arrays.flat(1).filter((value) => seen.add(value));
  }),
  intersection: eager(1, any, (args, _context, name) => {
    if (args.every(isObject)) return args.reduce((left, right) => commonMembers(left, right));
    const arrays = args.map((_, index) => arrayAt(name, args, index));
    const sets = arrays.slice(1).map((array) => {
      const set = valueSet();
      for (const value of array) set.add(value);
      return set;
    });
    const seen = valueSet();
    return (arrays[0] ?? []).filter((value) => sets.every((set) => set.has(value)) && seen.add(value));
  }),
};

function edge(sequence: readonly Json[] | string, index: number): Json {
  return sequence.at(index) ?? (typeof sequence === "string" ? "" : null);
}

function indexFunction(
  inArray: (values: readonly Json[], wanted: Json) => number,
  inText: (text: string, wanted: string) => number,
): BuiltIn {
  return eager(2, 2, (args, _context, name) => {
    const sequence = sequenceAt(name, args, 0);
    if (typeof sequence !== "string") return inArray(sequence, args[1] ?? null);
    return inText(sequence.toLowerCase(), textAt(name, args, 1).toLowerCase());
  });
}

function tryStep(value: Json, step: Json): Json {
  if (typeof step === "string" && isObject(value)) {
    const found = findMember(value, step);
    return found === undefined ? null : (value[found] ?? null);
  }
  if (typeof step === "number" && Array.isArray(value)) return value[step] ?? null;
  if (value === null) return null;
  throw refuse("tryGet", `a value of type '${typeName(value)}' has no element '${toText(step).slice(0, 80)}'`);
}

/** Objects inside objects are merged too; of all else the right one counts. */
function mergeDeep(left: JsonObject, right: JsonObject): JsonObject {
  const merged = newObject();
  for (const name of Object.keys(left)) merged[name] = left[name] ?? null;
  for (const name of Object.keys(right)) {
    const target = findMember(merged, name) ?? name;
    const [old, added] = [merged[target], right[name] ?? null];
    merged[target] = isObject(old) && isObject(added) ? mergeDeep(old, added) : added;
  }
  return merged;
}

function commonMembers(left: JsonObject, right: JsonObject): JsonObject {
  const common = newObject();
  for (const name of Object.keys(left)) {
    const found = findMember(right, name);
    if (found !== undefined && valuesEqual(left[name] ?? null, right[found] ?? null)) common[name] = left[name] ?? null;
  }
  return common;
}
