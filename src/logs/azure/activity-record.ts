// An entry of the activity log as a row of AzureActivity.

import type { LogRecord } from "../rows/type-records.ts";

export interface ActivityEntry {
  readonly [name: string]: unknown;
}

const statusValues: Readonly<Record<string, string>> = {
  Succeeded: "Success",
  Failed: "Failure",
  Accepted: "Accept",
  Started: "Start",
  Canceled: "Failure",
};

export function activityRecord(entry: ActivityEntry): LogRecord {
  const status = valueOf(entry["status"]);
  const resourceId = textOf(entry["resourceId"]);
  const provider = valueOf(entry["resourceProviderName"]);
  const httpRequest = objectOf(entry["httpRequest"]);
  const properties = objectOf(entry["properties"]);
  const subscriptionId = textOf(entry["subscriptionId"]);
  return {
    TimeGenerated: entry["eventTimestamp"],
    EventSubmissionTimestamp: entry["submissionTimestamp"],
    OperationName: textOf(objectOf(entry["operationName"])["localizedValue"]),
    OperationNameValue: valueOf(entry["operationName"]).toUpperCase(),
    Level: entry["level"],
    ActivityStatus: status,
    ActivityStatusValue: statusValues[status] ?? status,
    ActivitySubstatus: textOf(objectOf(entry["subStatus"])["localizedValue"]),
    ActivitySubstatusValue: valueOf(entry["subStatus"]),
    ResourceGroup: textOf(entry["resourceGroupName"]).toUpperCase(),
    SubscriptionId: subscriptionId,
    CorrelationId: entry["correlationId"],
    Caller: entry["caller"],
    CallerIpAddress: textOf(httpRequest["clientIpAddress"]),
    Category: valueOf(entry["category"]),
    CategoryValue: valueOf(entry["category"]),
    HTTPRequest: JSON.stringify(httpRequest),
    Properties: JSON.stringify(properties),
    Properties_d: properties,
    Authorization: JSON.stringify(entry["authorization"] ?? {}),
    Authorization_d: objectOf(entry["authorization"]),
    Claims: JSON.stringify(entry["claims"] ?? {}),
    Claims_d: objectOf(entry["claims"]),
    EventDataId: entry["eventDataId"],
    OperationId: entry["operationId"],
    ResourceId: resourceId,
    ResourceProvider: provider,
    ResourceProviderValue: provider.toUpperCase(),
    Resource: resourceId.split("/").at(-1),
    Hierarchy: textOf(properties["hierarchy"]),
    SourceSystem: "Azure",
    _ResourceId: resourceId.toLowerCase(),
    _SubscriptionId: subscriptionId,
  };
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function valueOf(value: unknown): string {
  return textOf(objectOf(value)["value"]);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
