import { isObject, type Json, type JsonObject, newObject } from "../relaxed-json/json.ts";
import { murmur64 } from "./functions/hashes.ts";

/** A number for the template as it means, not as it is spelled: case and white space do not count. */
export function templateHash(template: JsonObject): string {
  return murmur64(Buffer.from(JSON.stringify(withoutGenerator(template)).toUpperCase(), "utf8")).toString();
}

/** The note of the compiler that wrote the template is no part of it. */
function withoutGenerator(template: JsonObject): Json {
  const metadata = template["metadata"];
  if (!isObject(metadata) || metadata["_generator"] === undefined) return template;
  const kept = newObject();
  for (const [name, value] of Object.entries(template)) {
    if (name !== "metadata") kept[name] = value;
    else if (Object.keys(metadata).length > 1)
      kept[name] = Object.fromEntries(Object.entries(metadata).filter(([member]) => member !== "_generator"));
  }
  return kept;
}
