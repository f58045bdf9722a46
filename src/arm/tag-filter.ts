// `tagname eq 'a' and tagvalue eq 'b'` speaks of one tag: the pair must be on the resource together.

import { requiredEquals, type Filter } from "./filter.ts";
import type { Resource } from "./resources/resource.ts";

/** Whether the filter's tag conditions hold; true when it has none. */
export function tagsMatch(filter: Filter, resource: Pick<Resource, "envelope">): boolean {
  const prefix = tagPrefix(filter)?.toLowerCase();
  const tags = Object.keys(resource.envelope.tags ?? {});
  if (prefix !== undefined && !tags.some((tag) => tag.toLowerCase().startsWith(prefix))) return false;
  const name = requiredEquals(filter, "tagname");
  const value = requiredEquals(filter, "tagvalue");
  if (name === undefined && value === undefined) return true;
  const same = (wanted: unknown, actual: string): boolean =>
    wanted === undefined || String(wanted).toLowerCase() === actual.toLowerCase();
  return Object.entries(resource.envelope.tags ?? {}).some(
    ([tag, text]) => same(name, tag) && (value === undefined || String(value) === text),
  );
}

/** The filter without its tag conditions, which `tagsMatch` has answered. */
export function withoutTags(filter: Filter): Filter {
  if (filter.kind === "compare" && /^tag(name|value)$/i.test(filter.field)) return { kind: "all" };
  if (isTagPrefix(filter)) return { kind: "all" };
  if (filter.kind === "and") return { kind: "and", left: withoutTags(filter.left), right: withoutTags(filter.right) };
  return filter;
}

function isTagPrefix(filter: Filter): filter is Filter & { kind: "call" } {
  if (filter.kind !== "call" || filter.name.toLowerCase() !== "startswith") return false;
  const [field] = filter.args;
  return field !== undefined && "field" in field && field.field.toLowerCase() === "tagname";
}

/** What `startswith(tagName, '…')` asks for. */
function tagPrefix(filter: Filter): string | undefined {
  if (filter.kind === "and") return tagPrefix(filter.left) ?? tagPrefix(filter.right);
  if (!isTagPrefix(filter)) return undefined;
  const [, prefix] = filter.args;
  return prefix !== undefined && "value" in prefix ? String(prefix.value) : "";
}
