// What can be told of the shape of dynamic values: buildschema() and treepath().

import type { Dynamic } from "../values/dynamic.ts";
import { formatDynamic } from "../values/dynamic.ts";
import { list, type RuntimeFunction } from "./value.ts";

interface Shape {
  readonly scalars: Set<string>;
  readonly keys: Map<string, Shape>;
  elements: Shape | undefined;
}

const blank = (): Shape => ({ scalars: new Set(), keys: new Map(), elements: undefined });

function learn(shape: Shape, value: Dynamic): void {
  if (value === null) return;
  if (Array.isArray(value)) {
    shape.elements ??= blank();
    for (const item of value) learn(shape.elements, item);
  } else if (value instanceof Map) {
    for (const [key, item] of value) {
      const known = shape.keys.get(key) ?? blank();
      shape.keys.set(key, known);
      learn(known, item);
    }
  } else {
    const names = { string: "string", bigint: "long", number: "double", boolean: "bool" } as const;
    shape.scalars.add(names[typeof value as keyof typeof names]);
  }
}

function shown(shape: Shape): Dynamic {
  const nested = new Map<string, Dynamic>([...shape.keys].map(([key, item]) => [key, shown(item)]));
  if (shape.elements !== undefined) nested.set("`indexer`", shown(shape.elements));
  const all: Dynamic[] = [...shape.scalars, ...(nested.size === 0 ? [] : [nested])];
  return all.length === 1 ? (all[0] ?? null) : all;
}

/** Every path in the value; `[0]` stands for any element of an array. */
function paths(value: Dynamic, prefix: string, found: Set<string>): void {
  if (prefix !== "") found.add(prefix);
  if (Array.isArray(value)) {
    for (const item of value) paths(item, `${prefix}[0]`, found);
  } else if (value instanceof Map) {
    for (const [key, item] of value) paths(item, `${prefix}['${key}']`, found);
  }
}

export const schemaFunctions: Readonly<Record<string, RuntimeFunction>> = {
  /** buildschema() of the values of a group, gathered in one list. */
  schema_of_list: ([values]) => {
    const shape = blank();
    for (const value of list(values) ?? []) learn(shape, value);
    return shown(shape);
  },
  treepath: ([value = null]) => {
    if (value === null || formatDynamic(value) === "null") return null;
    const found = new Set<string>();
    paths(value, "", found);
    return [...found];
  },
};
