import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { replyMerged, type ShownRow } from "./merged-page.ts";
import { createPaging } from "./paging.ts";
import type { ArmRequest } from "./request.ts";

const paging = createPaging(Buffer.alloc(32, 1));
const row = (key: string, from: string): ShownRow => ({ key, shown: { key, from } });
const keys = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { maxLength: 20 });

/** All pages, as a client follows them; what is stored is read from the page's beginning on, one row more than it holds. */
function walk(stored: readonly string[], others: readonly string[], pageSize: number): unknown[] {
  const shown: unknown[] = [];
  let url: URL | undefined = new URL("https://holdfast.test/list");
  while (url !== undefined) {
    const request = requestOf(url);
    const page = paging.read(request, pageSize);
    const { after } = page;
    const own = [...stored].sort().filter((key) => after === undefined || key > after);
    const { body } = replyMerged(
      paging,
      request,
      page,
      own.slice(0, page.limit + 1).map((key) => row(key, "stored")),
      others.map((key) => row(key, "other")),
    );
    const { value, nextLink } = body as { value: unknown[]; nextLink?: string };
    assert.ok(value.length <= pageSize);
    shown.push(...value);
    url = nextLink === undefined ? undefined : new URL(nextLink);
  }
  return shown;
}

test("the pages together hold every row once, in order, and what is stored hides what is not", () => {
  fc.assert(
    fc.property(keys, keys, fc.integer({ min: 1, max: 7 }), (stored, others, pageSize) => {
      const expected = [...new Set([...stored, ...others])]
        .sort()
        .map((key) => ({ key, from: stored.includes(key) ? "stored" : "other" }));
      assert.deepEqual(walk(stored, others, pageSize), expected);
    }),
  );
});

function requestOf(url: URL): ArmRequest {
  const query = new Map([...url.searchParams].map(([name, value]) => [name.toLowerCase(), value]));
  return { path: url.pathname, query, origin: url.origin } as unknown as ArmRequest;
}
