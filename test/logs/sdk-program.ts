// What a program does with Microsoft's client: a query, a batch, an error.

import { LogsQueryClient } from "@azure/monitor-query-logs";
import { credential, endpoint } from "../sdk/programs/clients.ts";

const workspace = process.env["WORKSPACE"] ?? "";
const client = new LogsQueryClient(credential, { endpoint });
const timespan = { duration: "PT1H" };

const single = await client.queryWorkspace(workspace, "print t=datetime(2026-01-02), d=dynamic({'a':1})", timespan, {
  serverTimeoutInSeconds: 30,
  includeQueryStatistics: true,
});
const batch = await client.queryBatch([
  { workspaceId: workspace, query: "print 1", timespan },
  { workspaceId: workspace, query: "nothing", timespan },
]);
const refused = await client.queryWorkspace(workspace, "nothing", timespan).then(
  () => undefined,
  (error: { code?: string; statusCode?: number }) => [error.statusCode, error.code],
);
const activity = await client.queryResource(
  `/subscriptions/${process.env["SUBSCRIPTION_ID"]}/resourceGroups/seen`,
  "AzureActivity | where TimeGenerated > ago(1h) | distinct ResourceGroup",
  timespan,
);
process.stdout.write(
  JSON.stringify({
    single: [single.status, "tables" in single ? single.tables[0]?.rows : []],
    batch: batch.map(({ status }) => status),
    refused,
    resource: [activity.status, "tables" in activity ? activity.tables[0]?.rows : []],
  }),
);
