// The table that all resource logs shared before they had tables of their own. Its columns grow with
// its data: a field `Name` of type text becomes the column `Name_s`.

import type { ScalarType } from "../../kql/index.ts";
import { typedColumns, type LogTable } from "./log-table.ts";

export const azureDiagnostics: LogTable = {
  name: "AzureDiagnostics",
  grows: true,
  columns: typedColumns({
    string: `
      TenantId ResourceId Category ResourceGroup SubscriptionId ResourceProvider Resource ResourceType OperationName
      OperationVersion ResultType ResultSignature ResultDescription CallerIPAddress CorrelationId Level Message
      SourceSystem Type _ResourceId AdHocOrScheduledJob_s EventName_s JobDurationInSecs_s JobFailureCode_s
      JobOperation_s JobOperationSubType_s JobStartDateTime_s JobStatus_s`,
    guid: "JobUniqueId_g",
    datetime: "TimeGenerated",
    long: "DurationMs",
    dynamic: "AdditionalFields",
  }),
};

export const columnLimit = 500;

const suffixes: Readonly<Record<string, ScalarType>> = {
  _s: "string",
  _d: "real",
  _b: "bool",
  _t: "datetime",
  _g: "guid",
};

/** The type that a grown column's name tells, or undefined when it is no such name. */
export function suffixType(column: string): ScalarType | undefined {
  return /^[A-Za-z_]\w{0,126}$/.test(column) ? suffixes[column.slice(-2)] : undefined;
}
