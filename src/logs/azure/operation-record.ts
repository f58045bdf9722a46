// What a workspace is told when it could not take records: a row of its table Operation.

import { HoldfastError } from "../../lib/errors.ts";
import { operationTable } from "../schema/workspace-tables.ts";
import type { Records } from "../rows/type-batch.ts";

export interface Refusals {
  /** The rows that tell of a batch that was refused; none for other failures and for what was told this hour. */
  tell(batch: readonly Records[], error: unknown, now: number): Records[];
}

const hour = 3_600_000;
const refusals = new Set(["RecordInvalid", "RecordTooLarge"]);
const guid = /^[0-9a-f-]{36}$/;

export function createRefusals(): Refusals {
  let since = 0;
  let told = new Set<string>();
  return {
    tell: (batch, error, now) => {
      if (!(error instanceof HoldfastError) || !refusals.has(error.code)) return [];
      if (now - since >= hour) [since, told] = [now, new Set()];
      return batch.flatMap(({ workspace, table }) => {
        const detail = `Data of type ${table} was dropped: ${error.sentence}`;
        const key = `${workspace} ${detail}`;
        if (told.has(key) || !guid.test(workspace)) return [];
        told.add(key);
        return [{ workspace, table: operationTable, records: [operationRecord(workspace, detail, now)] }];
      });
    },
  };
}

function operationRecord(workspace: string, detail: string, now: number): Records["records"][number] {
  return {
    TenantId: workspace,
    TimeGenerated: now,
    OperationCategory: "Ingestion",
    OperationKey: "Data dropped",
    OperationStatus: "Error",
    Solution: "LogManagement",
    Detail: detail,
    SourceSystem: "Azure",
    _IsBillable: "False",
  };
}
