// What a workspace tells of itself (Usage, Operation), and the table of machines whose monitoring agents
// report: no such agents report here, so it is empty, as in a workspace of Azure without any.

import { typedColumns, type LogTable } from "./log-table.ts";

export const usageTable = "Usage";
export const operationTable = "Operation";

export const workspaceTables: readonly LogTable[] = [
  {
    name: usageTable,
    columns: typedColumns({
      string: `
        TenantId Computer DataType LinkedMeterId LinkedResourceUri MeterId QuantityUnit ResourceUri Solution
        SourceSystem Type _IsBillable`,
      datetime: "TimeGenerated StartTime EndTime",
      real: "AvgLatencyInSeconds Quantity _BilledSize",
      long: "BatchesCapped BatchesOutsideSla BatchesWithinSla TotalBatches",
      bool: "IsBillable",
    }),
  },
  {
    name: operationTable,
    columns: typedColumns({
      string: `
        TenantId Computer CorrelationId Detail ErrorId HelpLink ManagementGroupName OperationCategory OperationKey
        OperationStatus Solution SourceComputerId SourceSystem Type _IsBillable _ResourceId _SubscriptionId`,
      datetime: "TimeGenerated",
      real: "_BilledSize",
    }),
  },
  {
    name: "Heartbeat",
    columns: typedColumns({
      string: `
        TenantId Category Computer ComputerEnvironment ComputerIP ManagementGroupName OSMajorVersion OSMinorVersion
        OSName OSType RemoteIPCountry Resource ResourceGroup ResourceId ResourceProvider ResourceType SCAgentChannel
        Solutions SourceComputerId SourceSystem SubscriptionId Type VMUUID Version _IsBillable _ResourceId
        _SubscriptionId`,
      datetime: "TimeGenerated",
      real: "RemoteIPLatitude RemoteIPLongitude _BilledSize",
      bool: "IsGatewayInstalled",
      dynamic: "ComputerPrivateIPs",
    }),
  },
];
