// Lists that tell of more than what is stored: what machines have by themselves stands among the
// resources that clients made, in one order, and pages go over both.

import type { PageRequest, Paging } from "./paging.ts";
import type { ArmReply, ArmRequest } from "./request.ts";

export interface ShownRow {
  /** The id in lower case. */
  readonly key: string;
  readonly shown: Record<string, unknown>;
}

/** `stored`: one more than the page holds, from its beginning on; `others`: all there are. What is stored hides what is not. */
export function replyMerged(
  paging: Paging,
  request: ArmRequest,
  page: PageRequest,
  stored: readonly ShownRow[],
  others: readonly ShownRow[],
): ArmReply {
  const taken = new Set(stored.map(({ key }) => key));
  const added = others.filter(({ key }) => (page.after === undefined || key > page.after) && !taken.has(key));
  const rows = [...stored, ...added].sort((a, b) => (a.key < b.key ? -1 : 1)).slice(0, page.limit + 1);
  return paging.reply(
    request,
    page,
    rows,
    ({ key }) => key,
    ({ shown }) => shown,
  );
}
