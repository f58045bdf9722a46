// Logs as a whole: the store, the queries over it, and what is done every hour.

import type { Clock } from "../lib/clock.ts";
import type { FileSystem } from "../lib/files.ts";
import { createLogQueries, type LogQueries } from "./query/log-queries.ts";
import { openLogStore, type LogStore } from "./store/log-store.ts";

export interface Logs extends AsyncDisposable {
  readonly store: LogStore;
  readonly queries: LogQueries;
  /** Seals, joins files and drops what is past its retention. */
  maintain(daysOf: (workspace: string, table: string) => number): Promise<void>;
}

export interface LogsOptions {
  readonly folder: string;
  readonly disk: FileSystem;
  readonly clock: Clock;
  readonly report: (error: unknown) => void;
}

export async function openLogs(options: LogsOptions): Promise<Logs> {
  const store = await openLogStore(options);
  const queries = createLogQueries(store, options.clock);
  return {
    store,
    queries,
    maintain: async (daysOf) => {
      await store.seal();
      await store.compact();
      await store.retain(daysOf);
    },
    [Symbol.asyncDispose]: async () => {
      await queries[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}
