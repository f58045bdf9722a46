// How values look to a template: names of types as Azure's messages have them, text of a value,
// equality. Names of properties compare without case, strings with case.

import { findMember, isObject, type Json, type JsonObject } from "../../relaxed-json/json.ts";
import { ExpressionError } from "./expression-error.ts";

export function typeName(value: Json): string {
  if (value === null) return "Null";
  if (Array.isArray(value)) return "Array";
  if (typeof value === "object") return "Object";
  if (typeof value === "string") return "String";
  if (typeof value === "boolean") return "Boolean";
  return Number.isInteger(value) ? "Integer" : "Float";
}

/** As `concat` and `string` write a value: `True`, `3`, compact JSON. */
export function toText(value: Json): string {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return value ? "True" : "False";
  if (value === null) return "";
  return typeof value === "number" ? numberText(value) : JSON.stringify(value);
}

export function numberText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return BigInt(value).toString();
  return String(value)
    .replace(/e([+-])(\d)$/, "E$10$2")
    .replace("e", "E");
}

export function valuesEqual(left: Json, right: Json): boolean {
  if (left === right) return true;
  if (Array.isArray(left)) {
    if (!Array.isArray(right) || left.length !== right.length) return false;
    return left.every((element, index) => valuesEqual(element, right[index] ?? null));
  }
  if (isObject(left)) {
    if (!isObject(right)) return false;
    const names = Object.keys(left);
    return names.length === Object.keys(right).length && names.every((name) => sameMember(left, right, name));
  }
  return false;
}

function sameMember(left: JsonObject, right: JsonObject, name: string): boolean {
  const found = findMember(right, name);
  return found !== undefined && valuesEqual(left[name] ?? null, right[found] ?? null);
}

/** Ordinal, as .NET's invariant ordering of equal-case words agrees with. */
export function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

export function getProperty(target: Json, name: string): Json {
  if (!isObject(target)) {
    throw new ExpressionError(
      `The language expression property '${name}' can't be evaluated, property name must be used on an object and the value is of type '${typeName(target)}'.`,
    );
  }
  const found = findMember(target, name);
  if (found === undefined) {
    const available = Object.keys(target).slice(0, 50).join(", ");
    throw new ExpressionError(
      `The language expression property '${name}' doesn't exist, available properties are '${available}'.`,
    );
  }
  return target[found] ?? null;
}

export function getElement(target: Json, index: Json): Json {
  if (typeof index === "string") return getProperty(target, index);
  if (typeof index !== "number" || !Number.isInteger(index)) {
    throw new ExpressionError(
      `The language expression property index must be an integer or a string; the value is of type '${typeName(index)}'.`,
    );
  }
  if (!Array.isArray(target)) {
    throw new ExpressionError(
      `The language expression property '${index}' can't be evaluated, an integer index must be used on an array and the value is of type '${typeName(target)}'.`,
    );
  }
  const element = target[index];
  if (index < 0 || element === undefined) {
    throw new ExpressionError(
      `The language expression property array index '${index}' is out of bounds: the array has ${target.length} element(s).`,
    );
  }
  return element;
}
