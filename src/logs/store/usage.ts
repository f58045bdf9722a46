// How much came in, by workspace, table and hour, until the table Usage has told it. What was counted
// travels with the batches: in the manifest as of its last batch, in the journal behind it. The batch
// that tells counts also says which, so after a crash none is told twice or forgotten.

import type { JournalEntry } from "../journal/entry.ts";
import type { RowBlock } from "../rows/row-block.ts";
import { usageTable } from "../schema/workspace-tables.ts";
import type { Records } from "../rows/type-batch.ts";

/** Bytes by `workspace/table/hour`; the hour is the milliseconds at which it begins. */
export type UsageCounts = Readonly<Record<string, number>>;

export interface Usage {
  /** Adds what the entry brings, takes away what it tells. */
  note(entry: JournalEntry): void;
  counts(): UsageCounts;
  /** What came in during hours that have ended. */
  finished(now: number): UsageCounts;
}

const hour = 3_600_000;

export function createUsage(kept: UsageCounts): Usage {
  const counts = new Map(Object.entries(kept));
  const add = (key: string, bytes: number): void => {
    const sum = (counts.get(key) ?? 0) + bytes;
    if (sum > 0) counts.set(key, sum);
    else counts.delete(key);
  };
  return {
    note: ({ at, blocks, told }) => {
      for (const [key, bytes] of Object.entries(told ?? {})) add(key, -bytes);
      // A journal of before there was Usage does not say when its batches came.
      if (at === undefined) return;
      for (const block of blocks) {
        if (block.table === usageTable) continue;
        add(`${block.workspace}/${block.table}/${Math.floor(at / hour) * hour}`, bytesOf(block));
      }
    },
    counts: () => Object.fromEntries(counts),
    finished: (now) => Object.fromEntries([...counts].filter(([key]) => hourOf(key) + hour <= now)),
  };
}

/** The rows that tell the counts. Nobody bills here: nothing is billable, as the rows themselves say. */
export function usageRecords(counts: UsageCounts, resourceUri: (workspace: string) => string | undefined): Records[] {
  return Object.entries(counts).map(([key, bytes]) => {
    const [workspace = "", table = ""] = key.split("/");
    const start = hourOf(key);
    const record = {
      TenantId: workspace,
      TimeGenerated: start,
      StartTime: start,
      EndTime: start + hour,
      DataType: table,
      Solution: "LogManagement",
      Quantity: bytes / 1e6,
      QuantityUnit: "MBytes",
      IsBillable: false,
      _IsBillable: "False",
      ResourceUri: resourceUri(workspace),
      SourceSystem: "Azure",
    };
    return { workspace, table: usageTable, records: [record] };
  });
}

const hourOf = (key: string): number => Number(key.split("/")[2]);

/** Of the values, without what separates them. */
function bytesOf({ columns, count }: RowBlock): number {
  return columns.reduce((sum, { text }) => sum + Buffer.byteLength(text) - (count - 1), 0);
}
