// A store of logs in a folder of its own with the engine over it, for tests: no thread, own clock.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toJsonValue } from "../../kql/index.ts";
import { manualClock, type ManualClock } from "../../lib/clock.ts";
import { disk } from "../../lib/files.ts";
import { builtInFunctions } from "../functions/built-in.ts";
import { createLogQueries } from "../query/log-queries.ts";
import type { QueryWorkspace } from "../query/query-workspace.ts";
import { openLogStore, type LogStore } from "../store/log-store.ts";
import type { Slice } from "../store/sources.ts";

export const testWorkspace: QueryWorkspace = {
  customerId: "11111111-2222-3333-4444-555555555555",
  id: "/subscriptions/s/resourceGroups/ops/providers/Microsoft.OperationalInsights/workspaces/central",
  name: "central",
  location: "local",
  functions: builtInFunctions,
};

export interface LogsUnderTest extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly store: LogStore;
  rows(query: string, slice?: Slice): Promise<Record<string, unknown>[]>;
}

export async function openLogsUnderTest(now: number): Promise<LogsUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-logs-"));
  const clock = manualClock(now);
  const report = (error: unknown): void => {
    throw error;
  };
  const store = await openLogStore({ folder, disk, clock, memoryLimitMiB: 256, report });
  const queries = createLogQueries(store, clock);
  const lookUp = async (): Promise<QueryWorkspace> => testWorkspace;
  return {
    clock,
    store,
    rows: async (text, slice = {}) => {
      const { tables } = await queries.run({ text, workspaces: [testWorkspace], slice, lookUp });
      const [table] = tables;
      return (table?.rows ?? []).map((row) =>
        Object.fromEntries(
          (table?.columns ?? []).map(({ name, type }, at) => [name, toJsonValue(row[at] ?? null, type)]),
        ),
      );
    },
    [Symbol.asyncDispose]: async () => {
      await queries[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
