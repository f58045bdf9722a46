// Carries what happened to the workspaces that diagnostic settings name. The store of logs remembers the
// last event it took, so an event that is handed over again after a crash is not there twice.

import { activityEvent } from "../../arm/activity/activity.ts";
import { findResource } from "../../arm/resources/resource-store.ts";
import type { Database } from "../../db/database.ts";
import type { StoredEvent } from "../../events/event.ts";
import { runSubscriber } from "../../events/subscribe.ts";
import { activityRecord, type ActivityEntry } from "../../logs/azure/activity-record.ts";
import type { Logs } from "../../logs/logs.ts";
import type { Records } from "../../logs/rows/type-batch.ts";
import type { Archive } from "./archive.ts";
import { diagnosticSettingsOf, wantsCategory } from "./settings-of-resource.ts";

const source = "diagnostics";

export interface RoutingOptions {
  readonly database: Database;
  readonly logs: Logs;
  readonly archive: Archive;
  readonly holder: string;
  readonly report: (error: unknown) => void;
}

/** Works until `signal`. */
export function routeDiagnostics(
  { database, logs, archive, holder, report }: RoutingOptions,
  signal: AbortSignal,
): Promise<void> {
  const deliver = async (events: readonly StoredEvent[]): Promise<void> => {
    for (const event of events) {
      const told = { resourceId: subscriptionOf(event), at: event.occurredAt, number: event.position };
      const batch = await archive.keep(await recordsOf(database, archive, event), told);
      if (batch.length > 0) await logs.append(batch, { source, position: event.position });
    }
  };
  return runSubscriber(
    database,
    { name: source, holder, from: "now", types: [activityEvent], handle: { deliver }, report },
    signal,
  );
}

/** A subscription's settings choose among the categories of its activity log. */
async function recordsOf(database: Database, archive: Archive, event: StoredEvent): Promise<Records[]> {
  const record = activityRecord(event.data as ActivityEntry);
  const settings = await diagnosticSettingsOf(database.kysely, subscriptionOf(event));
  const batch = new Map<string, Records>();
  for (const { properties } of settings) {
    const wanted = wantsCategory(properties, String(record["CategoryValue"]));
    const kept = wanted ? await archive.keyOf(database.kysely, properties) : undefined;
    if (kept !== undefined) batch.set(kept, { workspace: kept, table: "AzureActivity", records: [record] });
    const workspace = wanted
      ? await findResource<{ customerId: string }>(database.kysely, properties.workspaceId ?? "")
      : undefined;
    if (workspace === undefined) continue;
    const { customerId } = workspace.properties;
    batch.set(customerId, {
      workspace: customerId,
      table: "AzureActivity",
      records: [{ ...record, TenantId: customerId }],
    });
  }
  return [...batch.values()];
}

function subscriptionOf({ data }: StoredEvent): string {
  return `/subscriptions/${String((data as ActivityEntry)["subscriptionId"])}`;
}
