// `_LogOperation`: the simple view of the table Operation that alerts on a workspace's health ask.

import type { FunctionSchema } from "../../kql/index.ts";

export const logOperation: FunctionSchema = {
  name: "_LogOperation",
  parameters: "",
  returns:
    "TimeGenerated:datetime, Category:string, Operation:string, Level:string, Detail:string, _ResourceId:string, Computer:string, CorrelationId:string",
  body: "Operation | project TimeGenerated, Category = OperationCategory, Operation = OperationKey, Level = OperationStatus, Detail, _ResourceId, Computer, CorrelationId",
};
