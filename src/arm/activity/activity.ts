// The activity log: who did what to which resource, in Azure's event shape. One entry for each
// write, delete and action, whatever came of it.

import type { Clock } from "../../lib/clock.ts";
import { statusNames } from "../status-names.ts";
import { isoTime } from "../../lib/clock.ts";
import { appendEvent } from "../../events/append.ts";
import { newGuid } from "../../lib/random.ts";
import type { Caller } from "../request.ts";
import { fromSegments, idKey } from "../resource-id.ts";
import type { Writer } from "../resources/resource-store.ts";

export interface Deed {
  readonly action: string;
  readonly method: string;
  /** Id of what it was done to. */
  readonly resourceId: string;
  readonly resourceType: string;
  readonly namespace: string;
  readonly caller: Caller;
  readonly correlationId: string;
  readonly requestId: string;
  readonly clientRequestId: string | undefined;
  readonly clientAddress: string | undefined;
  readonly uri: string;
  readonly httpStatus: number;
  readonly status: "Succeeded" | "Failed" | "Accepted" | "Canceled";
  readonly errorCode: string | undefined;
  readonly errorMessage: string | undefined;
  readonly startedAt: number;
}

export const activityRetentionDays = 90;

/** The type under which the stream carries each entry; its data is the entry. */
export const activityEvent = "activity.recorded";

export async function recordActivity(trx: Writer, clock: Clock, deed: Deed): Promise<Record<string, unknown>> {
  const at = clock.now();
  const segments = deed.resourceId.split("/").filter((segment) => segment !== "");
  const id = fromSegments(segments);
  const subscriptionId = id?.subscriptionId ?? (segments[0] === "subscriptions" ? segments[1] : undefined) ?? "";
  const event = toEvent(deed, at, subscriptionId, id?.resourceGroup ?? "");
  await trx
    .insertInto("activity")
    .values({
      event_id: event.eventDataId,
      subscription_key: subscriptionId.toLowerCase(),
      group_key: (id?.resourceGroup ?? "").toLowerCase(),
      resource_key: idKey(deed.resourceId),
      provider_key: deed.namespace.toLowerCase(),
      caller_key: deed.caller.name.toLowerCase(),
      status_key: deed.status.toLowerCase(),
      correlation_id: deed.correlationId,
      at,
      event: JSON.stringify(event),
    })
    .execute();
  appendEvent(trx, {
    type: activityEvent,
    subject: deed.resourceId,
    data: event,
    correlationId: deed.correlationId,
    actor: deed.caller.name,
  });
  return event;
}

export async function removeOldActivity(trx: Writer, clock: Clock): Promise<void> {
  const oldest = clock.now() - activityRetentionDays * 86_400_000;
  await trx.deleteFrom("activity").where("at", "<", oldest).execute();
}

function toEvent(
  deed: Deed,
  at: number,
  subscriptionId: string,
  resourceGroup: string,
): Record<string, unknown> & { eventDataId: string } {
  const eventDataId = newGuid();
  const scope = deed.resourceId === "" ? "/" : deed.resourceId;
  const message =
    deed.errorMessage === undefined
      ? {}
      : { statusMessage: JSON.stringify({ error: { code: deed.errorCode, message: deed.errorMessage } }) };
  return {
    authorization: { action: deed.action, scope },
    caller: deed.caller.name,
    channels: "Operation",
    claims: textClaims(deed.caller.claims),
    correlationId: deed.correlationId,
    description: "",
    eventDataId,
    eventName: localizable("EndRequest", "End request"),
    category: localizable("Administrative"),
    httpRequest: {
      clientRequestId: deed.clientRequestId ?? deed.requestId,
      clientIpAddress: deed.clientAddress ?? "",
      method: deed.method,
      uri: deed.uri,
    },
    id: `${scope === "/" ? "" : scope}/events/${eventDataId}/ticks/${ticks(at)}`,
    level: deed.status === "Failed" ? "Error" : "Informational",
    resourceGroupName: resourceGroup,
    resourceProviderName: localizable(deed.namespace),
    resourceId: scope,
    resourceType: localizable(deed.resourceType),
    operationId: deed.correlationId,
    operationName: localizable(deed.action),
    properties: {
      ...message,
      statusCode: String(deed.httpStatus),
      serviceRequestId: deed.requestId,
      eventCategory: "Administrative",
      entity: scope,
      message: deed.action,
      hierarchy: subscriptionId,
    },
    status: localizable(deed.status),
    subStatus: localizable(
      deed.errorCode ?? statusNames[deed.httpStatus] ?? "",
      `${statusNames[deed.httpStatus] ?? "HTTP"} (HTTP Status Code: ${deed.httpStatus})`,
    ),
    eventTimestamp: isoTime(at),
    submissionTimestamp: isoTime(at),
    subscriptionId,
    tenantId: deed.caller.tenantId,
  };
}

function localizable(value: string, localizedValue = value): { value: string; localizedValue: string } {
  return { value, localizedValue };
}

/** .NET ticks (100 ns since the year 1), as the ids of Azure's events carry them. */
function ticks(milliseconds: number): string {
  return String(BigInt(milliseconds) * 10_000n + 621_355_968_000_000_000n);
}

function textClaims(claims: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(claims).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
  );
}
