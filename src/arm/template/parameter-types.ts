// Types of parameters: the plain ones of every template, and with languageVersion 2.0 the ones
// that are declared under `definitions` (`$ref`, nullable, properties, items, discriminator, prefixItems).

import { findMember, isObject, type Json, type JsonObject, memberOf } from "../relaxed-json/json.ts";
import { typeName, valuesEqual } from "./expression/values.ts";
import { textMember } from "./template.ts";

/** What is wrong with a value: the end of a sentence that names the parameter. */
export type Complaint = string;

const expectedTypes: Readonly<Record<string, readonly string[]>> = {
  string: ["String"],
  securestring: ["String"],
  int: ["Integer"],
  bool: ["Boolean"],
  object: ["Object"],
  secureobject: ["Object"],
  array: ["Array"],
};

const maxReferences = 20;

/** The declaration with its `$ref` followed. Undefined when it leads nowhere. */
export function resolveType(declaration: JsonObject, definitions: JsonObject): JsonObject | undefined {
  let current = declaration;
  let isNullable = memberOf(current, "nullable") === true;
  for (let hops = 0; hops < maxReferences; hops += 1) {
    const reference = textMember(current, "$ref");
    if (reference === undefined) return isNullable ? { ...current, nullable: true } : current;
    const name = /^#\/definitions\/(.+)$/.exec(reference)?.[1];
    const found = name === undefined ? undefined : definitions[decodeURIComponentSafely(name)];
    if (!isObject(found)) return undefined;
    isNullable ||= memberOf(found, "nullable") === true;
    current = found;
  }
  return undefined;
}

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text).replaceAll("~1", "/").replaceAll("~0", "~");
  } catch {
    return text;
  }
}

export function knownType(type: string): boolean {
  return Object.hasOwn(expectedTypes, type.toLowerCase());
}

export function isSecureType(type: string): boolean {
  return /^secure(?:string|object)$/i.test(type);
}

export function checkType(value: Json, declared: JsonObject, definitions: JsonObject): Complaint | undefined {
  const type = resolveType(declared, definitions);
  if (type === undefined)
    return `The type reference '${textMember(declared, "$ref") ?? ""}' is not defined in the template.`;
  if (value === null && memberOf(type, "nullable") === true) return undefined;
  const wanted = expectedTypes[(textMember(type, "type") ?? "").toLowerCase()] ?? [];
  if (!wanted.includes(typeName(value))) {
    return `Expected a value of type '${wanted.map((name) => (name === "String" ? "String, Uri" : name)).join(", ")}', but received a value of type '${typeName(value)}'.`;
  }
  return checkAllowed(value, type) ?? checkRange(value, type) ?? checkParts(value, type, definitions);
}

function checkAllowed(value: Json, type: JsonObject): Complaint | undefined {
  const allowed = memberOf(type, "allowedValues");
  if (!Array.isArray(allowed)) return undefined;
  const isOne = (candidate: Json): boolean =>
    allowed.some((option) => valuesEqual(option, candidate) || sameText(option, candidate));
  // An array parameter may be one of the allowed values or be made of them.
  if (isOne(value) || (Array.isArray(value) && value.every(isOne))) return undefined;
  return `The parameter value is not part of the allowed value(s): '${allowed.map((option) => (typeof option === "string" ? option : JSON.stringify(option))).join(",")}'.`;
}

function sameText(left: Json, right: Json): boolean {
  return typeof left === "string" && typeof right === "string" && left.toLowerCase() === right.toLowerCase();
}

function checkRange(value: Json, type: JsonObject): Complaint | undefined {
  const bound = (name: string): number | undefined => {
    const limit = memberOf(type, name);
    return typeof limit === "number" ? limit : undefined;
  };
  if (typeof value === "number") {
    const [least, most] = [bound("minValue"), bound("maxValue")];
    if (least !== undefined && value < least) return `The value should be greater than or equal to '${least}'.`;
    if (most !== undefined && value > most) return `The value should be less than or equal to '${most}'.`;
  }
  if (typeof value === "string" || Array.isArray(value)) {
    const [least, most] = [bound("minLength"), bound("maxLength")];
    if (least !== undefined && value.length < least)
      return `Length of the value should be greater than or equal to '${least}'.`;
    if (most !== undefined && value.length > most)
      return `Length of the value should be less than or equal to '${most}'.`;
  }
  return undefined;
}

function checkParts(value: Json, type: JsonObject, definitions: JsonObject): Complaint | undefined {
  if (Array.isArray(value)) return checkElements(value, type, definitions);
  return isObject(value) ? checkMembers(value, variantOf(value, type, definitions), definitions) : undefined;
}

/** `prefixItems` are the types of the first elements, `items` that of all others; `false` allows none. */
function checkElements(value: readonly Json[], type: JsonObject, definitions: JsonObject): Complaint | undefined {
  const [prefix, items] = [memberOf(type, "prefixItems"), memberOf(type, "items")];
  const first = Array.isArray(prefix) ? prefix : [];
  if (value.length < first.length) return `The array has ${value.length} of its ${first.length} elements.`;
  for (const [index, element] of value.entries()) {
    const declared = index < first.length ? first[index] : items;
    if (declared === false) return `The array has more than ${first.length} element(s).`;
    const complaint = isObject(declared) ? checkType(element, declared, definitions) : undefined;
    if (complaint !== undefined) return `Element ${index}: ${complaint}`;
  }
  return undefined;
}

/** Of a type with a discriminator the variant that the value names; a complaint when there is none. */
function variantOf(value: JsonObject, type: JsonObject, definitions: JsonObject): JsonObject | Complaint {
  const discriminator = memberOf(type, "discriminator");
  if (!isObject(discriminator)) return type;
  const [property, mapping] = [textMember(discriminator, "propertyName") ?? "", memberOf(discriminator, "mapping")];
  const variants = isObject(mapping) ? mapping : {};
  const chosen = textMember(value, property);
  const variant = chosen === undefined ? undefined : variants[chosen];
  const resolved = isObject(variant) ? resolveType(variant, definitions) : undefined;
  return resolved ?? `Property '${property}' must be one of '${Object.keys(variants).join(", ")}'.`;
}

function checkMembers(value: JsonObject, type: JsonObject | Complaint, definitions: JsonObject): Complaint | undefined {
  if (typeof type === "string") return type;
  const declared = memberOf(type, "properties");
  const properties = isObject(declared) ? declared : {};
  for (const [name, declaration] of Object.entries(properties)) {
    if (!isObject(declaration)) continue;
    const found = findMember(value, name);
    const resolved = resolveType(declaration, definitions);
    if (found === undefined && resolved !== undefined && memberOf(resolved, "nullable") === true) continue;
    if (found === undefined) return `Property '${name}' is required and is not there.`;
    const complaint = checkType(value[found] ?? null, declaration, definitions);
    if (complaint !== undefined) return `Property '${name}': ${complaint}`;
  }
  const others = memberOf(type, "additionalProperties");
  for (const name of Object.keys(value)) {
    if (findMember(properties, name) !== undefined) continue;
    if (others === false) return `Property '${name}' is not one of '${Object.keys(properties).join(", ")}'.`;
    const complaint = isObject(others) ? checkType(value[name] ?? null, others, definitions) : undefined;
    if (complaint !== undefined) return `Property '${name}': ${complaint}`;
  }
  return undefined;
}
