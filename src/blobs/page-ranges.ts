// Which pages of a page blob hold data. Ranges of one content never touch or overlap: writing joins
// them, clearing cuts them.

import type { Reader, Writer } from "./rows/account.ts";
import type { PageRange } from "./virtual.ts";

export const pageBytes = 512;

export async function pageRanges(reader: Reader, contentId: string, from: number, to: number): Promise<PageRange[]> {
  const rows = await reader
    .selectFrom("blob_page_ranges")
    .select(["range_start", "range_end"])
    .where("content_id", "=", contentId)
    .where("range_start", "<", to)
    .where("range_end", ">", from)
    .orderBy("range_start")
    .execute();
  return rows.map((row) => ({ start: Math.max(row.range_start, from), end: Math.min(row.range_end, to) }));
}

export async function markWritten(trx: Writer, contentId: string, { start, end }: PageRange): Promise<void> {
  const near = await trx
    .selectFrom("blob_page_ranges")
    .select(["range_start", "range_end"])
    .where("content_id", "=", contentId)
    .where("range_start", "<=", end)
    .where("range_end", ">=", start)
    .execute();
  const joined = {
    start: Math.min(start, ...near.map((row) => row.range_start)),
    end: Math.max(end, ...near.map((row) => row.range_end)),
  };
  await remove(trx, contentId, near);
  await insert(trx, contentId, [joined]);
}

export async function markCleared(trx: Writer, contentId: string, { start, end }: PageRange): Promise<void> {
  const hit = await trx
    .selectFrom("blob_page_ranges")
    .select(["range_start", "range_end"])
    .where("content_id", "=", contentId)
    .where("range_start", "<", end)
    .where("range_end", ">", start)
    .execute();
  await remove(trx, contentId, hit);
  const left = hit.filter((row) => row.range_start < start).map((row) => ({ start: row.range_start, end: start }));
  const right = hit.filter((row) => row.range_end > end).map((row) => ({ start: end, end: row.range_end }));
  await insert(trx, contentId, [...left, ...right]);
}

export async function copyRanges(trx: Writer, from: string, to: string, size: number): Promise<void> {
  await insert(trx, to, await pageRanges(trx, from, 0, size));
}

async function remove(trx: Writer, contentId: string, rows: readonly { range_start: number }[]): Promise<void> {
  for (const { range_start } of rows) {
    await trx
      .deleteFrom("blob_page_ranges")
      .where("content_id", "=", contentId)
      .where("range_start", "=", range_start)
      .execute();
  }
}

async function insert(trx: Writer, contentId: string, ranges: readonly PageRange[]): Promise<void> {
  for (let at = 0; at < ranges.length; at += 2000) {
    await trx
      .insertInto("blob_page_ranges")
      .values(
        ranges
          .slice(at, at + 2000)
          .map(({ start, end }) => ({ content_id: contentId, range_start: start, range_end: end })),
      )
      .execute();
  }
}
