// The text that a client signs with the account's key (the SharedKey scheme, version 2009-09-19 on).

export interface SignedRequest {
  readonly method: string;
  /** Path as the client sent it, still encoded. */
  readonly path: string;
  readonly query: readonly (readonly [string, string])[];
  header(name: string): string | undefined;
  /** Names of all headers, lower case. */
  readonly headerNames: readonly string[];
}

const signedHeaders = [
  "content-encoding",
  "content-language",
  "content-length",
  "content-md5",
  "content-type",
  "date",
  "if-modified-since",
  "if-match",
  "if-none-match",
  "if-unmodified-since",
  "range",
];

/**
 * Clients do not agree on how header names are ordered: by their characters, or as Windows sorts
 * words, without regard to hyphens. Every text that an honest client may have signed.
 */
export function sharedKeyTexts(account: string, request: SignedRequest): string[] {
  const standard = signedHeaders.map((name) => {
    const value = request.header(name) ?? "";
    return name === "content-length" && value === "0" ? "" : value;
  });
  const names = request.headerNames.filter((name) => name.startsWith("x-ms-"));
  const plain = [...names].sort(byCharacters);
  const worded = [...names].sort(
    (left, right) => byCharacters(left.replaceAll("-", ""), right.replaceAll("-", "")) || byCharacters(left, right),
  );
  const text = (order: readonly string[]): string =>
    [
      request.method,
      ...standard,
      ...order.map((name) => `${name}:${(request.header(name) ?? "").trim()}`),
      `/${account}${request.path}${canonicalQuery(request.query)}`,
    ].join("\n");
  return [...new Set([text(plain), text(worded)])];
}

function canonicalQuery(query: readonly (readonly [string, string])[]): string {
  const values = new Map<string, string[]>();
  for (const [name, value] of query) {
    const key = name.toLowerCase();
    values.set(key, [...(values.get(key) ?? []), value]);
  }
  return [...values.keys()]
    .sort(byCharacters)
    .map((name) => `\n${name}:${(values.get(name) ?? []).sort(byCharacters).join(",")}`)
    .join("");
}

function byCharacters(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
