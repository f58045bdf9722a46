// What a put would change, property by property. Properties that the template does not name stay
// as the provider has them, so they are no change.

import { findMember, isObject, type Json, type JsonObject } from "../relaxed-json/json.ts";
import { isExpressionText } from "./expression/parse-expression.ts";
import { valuesEqual } from "./expression/values.ts";

export interface PropertyChange {
  readonly path: string;
  readonly propertyChangeType: "Create" | "Delete" | "Modify" | "Array";
  readonly before: Json;
  readonly after: Json;
  readonly children: readonly PropertyChange[] | null;
}

/** Members that are the provider's to say. */
const readOnly = new Set(["id", "name", "type", "etag", "systemdata", "apiversion", "provisioningstate"]);

export function propertyDelta(before: JsonObject, after: JsonObject): PropertyChange[] {
  return Object.keys(after)
    .filter((name) => !readOnly.has(name.toLowerCase()))
    .flatMap((name) => {
      const found = findMember(before, name);
      const isMap = name.toLowerCase() === "tags";
      return compare(name, found === undefined ? undefined : (before[found] ?? null), after[name] ?? null, isMap);
    });
}

function compare(path: string, before: Json | undefined, after: Json, isWhole: boolean): PropertyChange[] {
  // An expression that only a deployment can evaluate says nothing about a change.
  if (typeof after === "string" && isExpressionText(after)) return [];
  if (before === undefined) {
    return after === null ? [] : [{ path, propertyChangeType: "Create", before: null, after, children: null }];
  }
  if (valuesEqual(before, after) || sameLocation(path, before, after)) return [];
  if (isObject(before) && isObject(after)) return compareMembers(path, before, after, isWhole);
  if (Array.isArray(before) && Array.isArray(after)) {
    const children = compareElements(before, after);
    return children.length === 0 ? [] : [{ path, propertyChangeType: "Array", before, after, children }];
  }
  return [{ path, propertyChangeType: "Modify", before, after, children: null }];
}

function compareMembers(path: string, before: JsonObject, after: JsonObject, isWhole: boolean): PropertyChange[] {
  const changes = Object.keys(after)
    .filter((name) => !readOnly.has(name.toLowerCase()) || isWhole)
    .flatMap((name) => {
      const found = findMember(before, name);
      return compare(
        `${path}.${name}`,
        found === undefined ? undefined : (before[found] ?? null),
        after[name] ?? null,
        false,
      );
    });
  if (!isWhole) return changes;
  const gone = Object.keys(before).filter((name) => findMember(after, name) === undefined);
  return [
    ...changes,
    ...gone.map((name): PropertyChange => ({
      path: `${path}.${name}`,
      propertyChangeType: "Delete",
      before: before[name] ?? null,
      after: null,
      children: null,
    })),
  ];
}

function compareElements(before: readonly Json[], after: readonly Json[]): PropertyChange[] {
  const changes: PropertyChange[] = [];
  for (let index = 0; index < Math.max(before.length, after.length); index += 1) {
    const [old, next] = [before[index], after[index]];
    if (next === undefined)
      changes.push({
        path: `${index}`,
        propertyChangeType: "Delete",
        before: old ?? null,
        after: null,
        children: null,
      });
    else changes.push(...compare(`${index}`, old, next, false));
  }
  return changes;
}

/** `West Europe` is `westeurope`. */
function sameLocation(path: string, before: Json, after: Json): boolean {
  if (path.toLowerCase() !== "location" || typeof before !== "string" || typeof after !== "string") return false;
  return before.replaceAll(" ", "").toLowerCase() === after.replaceAll(" ", "").toLowerCase();
}
