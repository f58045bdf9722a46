import type { Json } from "../../relaxed-json/json.ts";

interface ValueSet {
  /** False when an equal value was there already. */
  add(value: Json): boolean;
  has(value: Json): boolean;
}

/** Equality as `equals` has it, in time proportional to the values. */
export function valueSet(): ValueSet {
  const texts = new Set<string>();
  return {
    has: (value) => texts.has(canonicalText(value)),
    add: (value) => {
      const text = canonicalText(value);
      if (texts.has(text)) return false;
      texts.add(text);
      return true;
    },
  };
}

/** The same text for equal values: names in lower case and sorted. */
function canonicalText(value: Json): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  const members = Object.keys(value).map(
    (name) => `${JSON.stringify(name.toLowerCase())}:${canonicalText(value[name] ?? null)}`,
  );
  return `{${members.sort().join(",")}}`;
}
