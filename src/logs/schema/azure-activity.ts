// The activity log as a table.

import { typedColumns, type LogTable } from "./log-table.ts";

export const azureActivity: LogTable = {
  name: "AzureActivity",
  columns: typedColumns({
    string: `
      TenantId OperationName OperationNameValue Level ActivityStatus ActivityStatusValue ActivitySubstatus
      ActivitySubstatusValue ResourceGroup SubscriptionId CorrelationId Caller CallerIpAddress Category CategoryValue
      HTTPRequest Properties Authorization Claims EventDataId OperationId ResourceId ResourceProvider
      ResourceProviderValue Resource Hierarchy SourceSystem Type _ResourceId _SubscriptionId`,
    datetime: "TimeGenerated EventSubmissionTimestamp",
    dynamic: "Authorization_d Claims_d Properties_d",
  }),
};
