import { isObject, type Json, newObject } from "../relaxed-json/json.ts";

/** For Azure a property that is null is one that is not there. Elements of lists stay. */
export function withoutNulls(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const present = newObject();
  for (const [name, member] of Object.entries(value)) if (member !== null) present[name] = withoutNulls(member);
  return present;
}
