// `tagname eq 'a' and tagvalue eq 'b'` speaks of one tag: the pair must be on the resource together.

import { requiredEquals, type Filter } from "./filter.ts";
import type { Resource } from "./resources/resource.ts";

/** Whether the filter's tag conditions hold; true when it has none. */
export function tagsMatch(filter: Filter, resource: Pick<Resource, "envelope">): boolean {
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
  if (filter.kind === "and") return { kind: "and", left: withoutTags(filter.left), right: withoutTags(filter.right) };
  return filter;
}
