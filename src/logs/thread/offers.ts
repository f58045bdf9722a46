// What the thread of logs does for the service, and what it asks back.

import type { ColumnSchema, QueryResult } from "../../kql/index.ts";
import type { WireAnswer, WireQuery } from "../http/wire.ts";
import type { QueryWorkspace } from "../query/query-workspace.ts";
import type { Retention } from "../store/retention.ts";
import type { Origin } from "../journal/entry.ts";
import type { RowBlock } from "../rows/row-block.ts";
import type { Records } from "../rows/type-batch.ts";
import type { Slice } from "../store/sources.ts";

export interface ThreadSettings {
  readonly folder: string;
  readonly testClock: string | undefined;
  readonly memoryLimitMiB: number;
}

/** A query, and the number under which the thread asks back for the workspaces that it names. */
export interface NumberedQuery {
  readonly asking: number;
  readonly text: string;
  readonly workspaces: readonly QueryWorkspace[];
  readonly slice: Slice;
  readonly now: number | undefined;
}

// oxlint-disable-next-line typescript/consistent-type-definitions -- an interface has no index signature
export type ThreadOffers = {
  append(input: { batch: readonly (Records | RowBlock)[]; origin: Origin | undefined }): Promise<void>;
  columnsOf(input: { workspace: string; table: string }): Promise<readonly ColumnSchema[]>;
  query(input: NumberedQuery, signal: AbortSignal): Promise<QueryResult>;
  answer(input: { asking: number; wire: WireQuery }, signal: AbortSignal): Promise<WireAnswer>;
  maintain(input: Retention): Promise<void>;
  close(input: undefined): Promise<void>;
};

// oxlint-disable-next-line typescript/consistent-type-definitions -- an interface has no index signature
export type ServiceOffers = {
  lookUp(input: { asking: number; name: string }): Promise<QueryWorkspace>;
  report(input: { message: string }): Promise<void>;
};
