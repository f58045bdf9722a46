// Scopes are compared as keys: lower case, no trailing slash, "" for the root. A scope covers itself
// and everything whose key continues it with a slash.

export function scopeKey(scope: string): string {
  const key = scope.toLowerCase();
  return key.endsWith("/") ? key.slice(0, -1) : key;
}

export function covers(outer: string, inner: string): boolean {
  return inner.startsWith(outer) && (inner.length === outer.length || inner[outer.length] === "/");
}

/** The scope's own key and every key above it, nearest first, the root last. */
export function* outwards(key: string): Generator<string> {
  for (let end = key.length; end > 0; end = key.lastIndexOf("/", end - 1)) yield key.slice(0, end);
  yield "";
}
