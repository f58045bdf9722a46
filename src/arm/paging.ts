// Lists in pages. A `nextLink` is absolute and repeats the query; `$skipToken` is the last key of
// the page with a MAC over it, bound to the list's path, so that nobody can ask for another list's
// position or make one up.

import { createHmac, timingSafeEqual } from "node:crypto";
import { armErrors } from "./errors.ts";
import type { ArmReply, ArmRequest } from "./request.ts";

const defaultPageSize = 200;
const largestPage = 1000;

export interface PageRequest {
  readonly limit: number;
  /** Key of the last row of the page before; undefined on the first page. */
  readonly after: string | undefined;
}

export interface Paging {
  read(request: ArmRequest, pageSize?: number): PageRequest;
  /** `rows` may hold one row more than `limit`: then there is a next page. */
  reply<Row>(
    request: ArmRequest,
    page: PageRequest,
    rows: readonly Row[],
    keyOf: (row: Row) => string,
    render: (row: Row) => unknown,
  ): ArmReply;
}

export function createPaging(key: Uint8Array): Paging {
  const sign = (text: string): Buffer => createHmac("sha256", key).update(text).digest().subarray(0, 16);
  return {
    read: (request, pageSize = defaultPageSize) => {
      const top = request.query.get("$top");
      let limit = pageSize;
      if (top !== undefined) {
        const wanted = Number(top);
        if (!Number.isInteger(wanted) || wanted < 1) {
          throw armErrors.InvalidTopInQueryString(`The $top value '${top}' is not a whole number of at least 1.`, {
            target: "$top",
          });
        }
        limit = Math.min(wanted, largestPage);
      }
      const token = request.query.get("$skiptoken");
      return { limit, after: token === undefined || token === "" ? undefined : open(token, request.path, sign) };
    },
    reply: (request, page, rows, keyOf, render) => {
      const shown = rows.slice(0, page.limit);
      const value = shown.map((row) => render(row));
      const last = shown.at(-1);
      if (rows.length <= page.limit || last === undefined) return { status: 200, body: { value } };
      const text = Buffer.from(keyOf(last), "utf8");
      const token = Buffer.concat([sign(`${request.path}\n${text.toString("utf8")}`), text]).toString("base64url");
      return { status: 200, body: { value, nextLink: nextLink(request, token) } };
    },
  };
}

function open(token: string, path: string, sign: (text: string) => Buffer): string {
  const bytes = Buffer.from(token, "base64url");
  const text = bytes.subarray(16).toString("utf8");
  const expected = sign(`${path}\n${text}`);
  if (bytes.length < 17 || !timingSafeEqual(bytes.subarray(0, 16), expected)) {
    throw armErrors.InvalidSkipToken(`The $skipToken is not one that this list gave out. Begin again without it.`, {
      target: "$skipToken",
    });
  }
  return text;
}

function nextLink(request: ArmRequest, token: string): string {
  const query = new URLSearchParams();
  for (const [name, value] of request.query.entries()) {
    if (name.toLowerCase() !== "$skiptoken") query.append(name, value);
  }
  query.append("$skipToken", token);
  const path = request.path.split("/").map(encodeURIComponent).join("/");
  return `${request.origin}${path}?${query.toString()}`;
}

/**
 * Reads on until the page is full: rows that `keep` leaves out do not count. `fetch` answers up to
 * `limit` rows after a key, in the list's order.
 */
export async function fillPage<Row>(
  page: PageRequest,
  fetch: (after: string | undefined, limit: number) => Promise<Row[]>,
  keyOf: (row: Row) => string,
  keep: (row: Row) => boolean,
): Promise<Row[]> {
  const found: Row[] = [];
  let after = page.after;
  for (;;) {
    const batch = await fetch(after, page.limit + 1);
    found.push(...batch.filter(keep));
    const last = batch.at(-1);
    if (last === undefined || batch.length <= page.limit || found.length > page.limit) return found;
    after = keyOf(last);
  }
}
