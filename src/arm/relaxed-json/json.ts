// JSON values as templates and hostile bodies bring them. Objects have no prototype, so `__proto__`
// and `constructor` are names like any other: nothing can be looked up that the text did not say.

export type Json = null | boolean | number | string | Json[] | JsonObject;

export interface JsonObject {
  [name: string]: Json;
}

export function newObject(): JsonObject {
  return Object.create(null) as JsonObject;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The name as the object spells it, whatever the case of `name`; the exact spelling wins. */
export function findMember(object: JsonObject, name: string): string | undefined {
  if (Object.hasOwn(object, name)) return name;
  const wanted = name.toLowerCase();
  for (const candidate of Object.keys(object)) {
    if (candidate.length === name.length && candidate.toLowerCase() === wanted) return candidate;
  }
  return undefined;
}

/** The value under `name`, whatever its case. */
export function memberOf(object: JsonObject, name: string): Json | undefined {
  const found = findMember(object, name);
  return found === undefined ? undefined : object[found];
}

/** The same value made of ordinary objects, as JSON.parse makes them, for code that trusts its input. */
export function toPlain(value: Json): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}

/** The same value made of objects without a prototype. */
export function fromPlain(value: unknown): Json {
  if (Array.isArray(value)) return value.map(fromPlain);
  if (typeof value === "object" && value !== null) {
    const copy = newObject();
    for (const [name, member] of Object.entries(value)) if (member !== undefined) copy[name] = fromPlain(member);
    return copy;
  }
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
}
