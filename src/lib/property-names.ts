// Azure reads the names of JSON properties in any case: templates of Microsoft's own say `StorageModelType`
// where the API's description has `storageModelType`. What does not fit exactly takes the schema's spelling. The
// values of enumerations likewise: a lock's level is `CanNotDelete` to some and `CannotDelete` to others. And an empty
// text is no value where something else than a text is wanted: Azure's verified modules send `isNfsV3Enabled: ""`.

import type * as z from "zod";

/** The value as the schema spells its names and the values of its enumerations; what the schema does not know stays. */
export function withSchemaNames(schema: z.core.$ZodType, value: unknown): unknown {
  if ((typeof value !== "object" && typeof value !== "string") || value === null) return value;
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case "object":
      return isPlainObject(value) ? inObject(def.shape, value) : value;
    case "array":
      return Array.isArray(value) ? value.map((item) => withSchemaNames(def.element, item)) : value;
    case "record":
      return isPlainObject(value) ? inRecord(def.valueType, value) : value;
    case "enum":
      return typeof value === "string" ? spelled(Object.values(def.entries), value) : value;
    case "literal":
      return typeof value === "string" ? spelled(def.values, value) : value;
    case "optional":
    case "nullable":
    case "default":
    case "prefault":
    case "nonoptional":
    case "readonly":
    case "catch":
      return withSchemaNames(def.innerType, value);
    case "lazy":
      return withSchemaNames(def.getter(), value);
    case "pipe":
      return withSchemaNames(def.out, withSchemaNames(def.in, value));
    case "union":
      return def.options.reduce<unknown>((aligned, option) => withSchemaNames(option, aligned), value);
    case "intersection":
      return withSchemaNames(def.right, withSchemaNames(def.left, value));
    default:
      return value;
  }
}

function isPlainObject(value: object | string): value is object {
  return typeof value === "object" && !Array.isArray(value);
}

function spelled(known: readonly unknown[], given: string): unknown {
  if (known.includes(given)) return given;
  return known.find((one) => typeof one === "string" && one.toLowerCase() === given.toLowerCase()) ?? given;
}

function inObject(shape: Readonly<Record<string, z.core.$ZodType>>, value: object): object {
  const spellings = new Map(Object.keys(shape).map((name) => [name.toLowerCase(), name]));
  const entries = Object.entries(value).flatMap(([given, item]): [string, unknown][] => {
    const known = spellings.get(given.toLowerCase());
    if (known === undefined) return [[given, item]];
    // A name that is there exactly as it should be is not taken over by another spelling of it.
    const name = Object.hasOwn(value, known) ? given : known;
    const inner = shape[name];
    if (inner !== undefined && item === "" && leavesOutEmpty(inner)) return [];
    return [[name, inner === undefined ? item : withSchemaNames(inner, item)]];
  });
  return Object.fromEntries(entries);
}

/** Whether it may be left out, and is no text. */
function leavesOutEmpty(schema: z.core.$ZodType, mayBeLeftOut = false): boolean {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case "optional":
      return leavesOutEmpty(def.innerType, true);
    case "nullable":
    case "default":
      return leavesOutEmpty(def.innerType, mayBeLeftOut || def.type === "default");
    case "boolean":
    case "number":
      return mayBeLeftOut;
    case "enum":
      return mayBeLeftOut && !Object.values(def.entries).includes("");
    case "literal":
      return mayBeLeftOut && !def.values.includes("");
    default:
      return false;
  }
}

function inRecord(inner: z.core.$ZodType, value: object): object {
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withSchemaNames(inner, item)]));
}
