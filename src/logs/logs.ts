// Logs as a whole, as the rest of the service sees them. The work is done in a thread of its own that
// starts with the first record or query.

import { join } from "node:path";
import type { ColumnSchema, QueryResult } from "../kql/index.ts";
import { offsetFileClock, systemClock } from "../lib/clock.ts";
import type { FileSystem } from "../lib/files.ts";
import { createRefusals } from "./azure/operation-record.ts";
import type { WireAnswer, WireQuery } from "./http/wire.ts";
import type { LookUp, QueryWorkspace } from "./query/query-workspace.ts";
import { logTable } from "./schema/tables.ts";
import type { Origin } from "./journal/entry.ts";
import { typeFixedTables, type Records } from "./rows/type-batch.ts";
import type { Slice } from "./store/sources.ts";
import type { Retention } from "./store/retention.ts";
import { createLogThread } from "./thread/log-thread.ts";

export interface Logs extends AsyncDisposable {
  /** Returns when the records are durable and can be queried; all of them or none. */
  append(batch: readonly Records[], origin?: Origin): Promise<void>;
  columnsOf(workspace: string, table: string): Promise<readonly ColumnSchema[]>;
  /** For parts of the service that look into the rows themselves. */
  query(query: LogQuestion, lookUp: LookUp, signal?: AbortSignal): Promise<QueryResult>;
  /** A query as it came over the wire, answered in its form. */
  answer(wire: WireQuery, lookUp: LookUp, signal: AbortSignal): Promise<WireAnswer>;
  /** Seals, joins files and drops what is past its retention. */
  maintain(retention: Retention): Promise<void>;
}

export interface LogQuestion {
  readonly text: string;
  readonly workspaces: readonly QueryWorkspace[];
  readonly slice: Slice;
  /** What now() means; the clock's time when absent. */
  readonly now?: number;
}

export interface LogsOptions {
  readonly folder: string;
  readonly disk: FileSystem;
  /** The file of `--test-clock`. */
  readonly testClock?: string | undefined;
  /** What queries may use at most, beyond which they spill to the disk. */
  readonly memoryLimitMiB: number;
  readonly report: (error: unknown) => void;
}

export function openLogs({ folder, disk, testClock, memoryLimitMiB, report }: LogsOptions): Logs {
  const clock = testClock === undefined ? systemClock : offsetFileClock(testClock);
  const refusals = createRefusals();
  const thread = createLogThread({ folder, testClock, memoryLimitMiB }, report);
  const hasRecords = async (): Promise<boolean> =>
    thread.isRunning || (await disk.status(join(folder, "journal"))) !== undefined;

  return {
    append: async (batch, origin) => {
      try {
        await thread.call("append", { batch: typeFixedTables(batch, clock.now()), origin });
      } catch (error) {
        const rows = refusals.tell(batch, error, clock.now());
        if (rows.length > 0) await thread.call("append", { batch: rows, origin: undefined });
        throw error;
      }
    },
    columnsOf: async (workspace, table) => {
      if (await hasRecords()) return thread.call("columnsOf", { workspace, table });
      return logTable(table)?.columns ?? [];
    },
    query: ({ text, workspaces, slice, now }, lookUp, signal) =>
      thread.asking(lookUp, (asking) => thread.call("query", { asking, text, workspaces, slice, now }, signal)),
    answer: (wire, lookUp, signal) =>
      thread.asking(lookUp, (asking) => thread.call("answer", { asking, wire }, signal)),
    maintain: async (retention) => {
      if (await hasRecords()) await thread.call("maintain", retention);
    },
    [Symbol.asyncDispose]: () => thread[Symbol.asyncDispose](),
  };
}
