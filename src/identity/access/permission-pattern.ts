// Does a permission's text cover an action? `*` stands for any run of characters, slashes included;
// case never matters. Patterns come from custom roles, so matching is linear in the action's length
// whatever the pattern: each fixed part is searched once, from where the last one ended.

export interface ActionSet {
  /** `action` in lower case. */
  has(action: string): boolean;
}

export function compileActions(patterns: readonly string[]): ActionSet {
  const exact = new Set<string>();
  const prefixes: string[] = [];
  const general: (readonly string[])[] = [];
  let everything = false;
  for (const pattern of patterns) {
    const parts = pattern.toLowerCase().split("*");
    const [first = ""] = parts;
    if (parts.length === 1) exact.add(first);
    else if (parts.length === 2 && parts[1] === "") {
      if (first === "") everything = true;
      else prefixes.push(first);
    } else general.push(parts);
  }
  if (everything) return { has: () => true };
  return {
    has: (action) =>
      exact.has(action) ||
      prefixes.some((prefix) => action.startsWith(prefix)) ||
      general.some((parts) => matchesParts(parts, action)),
  };
}

/** Fixed parts in order; the first stands at the start, the last at the end. */
function matchesParts(parts: readonly string[], action: string): boolean {
  const first = parts[0] ?? "";
  const last = parts.at(-1) ?? "";
  if (!action.startsWith(first) || !action.endsWith(last)) return false;
  let from = first.length;
  const end = action.length - last.length;
  for (let index = 1; index < parts.length - 1; index += 1) {
    const part = parts[index] ?? "";
    const found = action.indexOf(part, from);
    if (found === -1) return false;
    from = found + part.length;
  }
  return from <= end;
}
