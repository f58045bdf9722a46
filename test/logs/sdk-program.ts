// What a program does with Microsoft's client: queries with every option, batches, errors.

import { LogsQueryClient, type LogsQueryOptions, type QueryTimeInterval } from "@azure/monitor-query-logs";
import { credential, endpoint } from "../sdk/programs/clients.ts";

const workspace = process.env["WORKSPACE"] ?? "";
const workspaceId = process.env["WORKSPACE_ID"] ?? "";
const second = workspaceId.replace(/[^/]+$/, "second");
const client = new LogsQueryClient(credential, { endpoint, retryOptions: { maxRetries: 0 } });
const timespan = { duration: "PT1H" };
const seen = "AzureActivity | where ResourceGroup =~ 'seen' | count";

const ask = (query: string, options?: LogsQueryOptions, interval: QueryTimeInterval = timespan) =>
  client.queryWorkspace(workspace, query, interval, options);
type Result = Awaited<ReturnType<typeof ask>>;
const rowsOf = (result: Result): unknown =>
  (result.status === "Success" ? result.tables : result.partialTables)[0]?.rows ?? [];
const counted = async (result: Promise<Result>): Promise<unknown> => {
  const [[count] = []] = rowsOf(await result) as unknown[][];
  return count;
};
interface ClientError {
  readonly code?: string;
  readonly statusCode?: number;
  readonly details?: {
    readonly error?: { readonly innererror?: { readonly innererror?: { readonly code?: string } } };
  };
}
const errorOf = (result: Promise<unknown>): Promise<ClientError> =>
  result.then(
    () => ({}),
    (error: ClientError) => error,
  );

const single = await ask("print t=datetime(2026-01-02), d=dynamic({'a':1}) | render piechart with (title='Jobs')", {
  serverTimeoutInSeconds: 30,
  includeQueryStatistics: true,
  includeVisualization: true,
});
const statistics = single.statistics as {
  query: { executionTime: number; datasetStatistics: { tableRowCount: number }[] };
};
const plain = await ask("print 1");

const hour = 3_600_000;
const now = Date.now();
const intervals: QueryTimeInterval[] = [
  { duration: "PT1H" },
  { startTime: new Date(now - hour), duration: "PT3H" },
  { duration: "PT3H", endTime: new Date(now + hour) },
  { startTime: new Date(now - hour), endTime: new Date(now + hour) },
  { startTime: new Date(now - 30 * 24 * hour), duration: "P7D" },
];
const timespans: unknown[] = [];
for (const interval of intervals) timespans.push(await counted(ask(seen, {}, interval)));

const workspaces: unknown[] = [];
for (const additional of ["second", second, second.toUpperCase()])
  workspaces.push(await counted(ask(seen, { additionalWorkspaces: [additional] })));
const named = `union (workspace("${workspaceId}").AzureActivity | where ResourceGroup =~ 'seen' | extend W = "central"), (workspace("second").AzureActivity | where ResourceGroup =~ 'seen' | extend W = "second") | summarize count() by W | sort by W asc`;
workspaces.push(rowsOf(await ask(named)));

const batch = await client.queryBatch([
  { workspaceId: workspace, query: "print 1", timespan },
  { workspaceId: workspace, query: "nothing", timespan },
  {
    workspaceId: workspace,
    query: "print 1 | render barchart",
    timespan,
    includeVisualization: true,
    includeQueryStatistics: true,
    serverTimeoutInSeconds: 10,
  },
  { workspaceId: "00000000-0000-0000-0000-000000000000", query: "print 1", timespan },
]);
const items = batch as Result[];
const third = items[2];

const partial = await ask("range n from 1 to 500001 step 1");
const partialError = partial.status === "PartialFailure" ? partial.partialError : undefined;
const late = await errorOf(
  ask(
    "range a from 1 to 100000 step 1 | extend k = 1 | join kind=inner (range b from 1 to 100000 step 1 | extend k = 1) on k | summarize dcount(a * b)",
    { serverTimeoutInSeconds: 1 },
  ),
);
const refused = await errorOf(ask("nothing"));
const activity = await client.queryResource(
  `/subscriptions/${process.env["SUBSCRIPTION_ID"]}/resourceGroups/seen`,
  "AzureActivity | where TimeGenerated > ago(1h) | distinct ResourceGroup",
  timespan,
);
process.stdout.write(
  JSON.stringify({
    single: [single.status, rowsOf(single)],
    statistics: [typeof statistics.query.executionTime, statistics.query.datasetStatistics[0]?.tableRowCount],
    chart: single.visualization,
    plain: [typeof plain.statistics, typeof plain.visualization],
    timespans,
    workspaces,
    batch: items.map(({ status }) => status),
    batchRows: items.map(rowsOf),
    batchErrors: items.flatMap((item) => (item.status === "PartialFailure" ? [item.partialError.code] : [])),
    batchMore: [third?.visualization?.["visualization"], typeof third?.statistics?.["query"]?.executionTime],
    partial: [
      partial.status,
      partialError?.code,
      partialError?.details?.[0]?.code,
      (rowsOf(partial) as unknown[]).length,
    ],
    late: [late.statusCode, late.code],
    refused: [refused.statusCode, refused.code, refused.details?.error?.innererror?.innererror?.code],
    resource: [activity.status, rowsOf(activity)],
  }),
);
