// A resource as the service keeps it, and as the wire shows it. Every provider's resources live in
// one table with one shape, so lists, locks, tags, deletes of groups and access work for all alike.

import type { ResourceRow } from "../../db/schema/arm.ts";
import { isoTime } from "../../lib/clock.ts";

export type JsonObject = { readonly [key: string]: unknown };

export interface Envelope {
  readonly tags?: Readonly<Record<string, string>>;
  readonly sku?: JsonObject;
  readonly kind?: string;
  readonly identity?: JsonObject;
  readonly plan?: JsonObject;
  readonly zones?: readonly string[];
  readonly managedBy?: string;
}

export interface Resource<Properties = JsonObject, Hidden = JsonObject> {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly location: string | undefined;
  readonly envelope: Envelope;
  readonly properties: Properties;
  readonly hidden: Hidden;
  readonly provisioningState: string;
  readonly etag: string;
  readonly createdAt: number;
  readonly changedAt: number;
  readonly systemData: SystemData;
}

export interface SystemData {
  readonly createdBy: string;
  readonly createdByType: string;
  readonly createdAt: string;
  readonly lastModifiedBy: string;
  readonly lastModifiedByType: string;
  readonly lastModifiedAt: string;
}

export function fromRow<Properties = JsonObject, Hidden = JsonObject>(row: ResourceRow): Resource<Properties, Hidden> {
  const segments = row.id.split("/");
  return {
    id: row.id,
    type: row.type,
    name: row.name,
    subscriptionId: row.subscription_key === "" ? "" : (segments[2] ?? ""),
    resourceGroup: row.group_key === "" ? "" : (segments[4] ?? ""),
    location: row.location ?? undefined,
    envelope: JSON.parse(row.envelope) as Envelope,
    properties: JSON.parse(row.properties) as Properties,
    hidden: JSON.parse(row.hidden) as Hidden,
    provisioningState: row.state,
    etag: row.etag,
    createdAt: row.created_at,
    changedAt: row.changed_at,
    systemData: {
      createdBy: row.created_by,
      createdByType: row.created_by_type,
      createdAt: isoTime(row.created_at),
      lastModifiedBy: row.changed_by,
      lastModifiedByType: row.changed_by_type,
      lastModifiedAt: isoTime(row.changed_at),
    },
  };
}

/** The common shape on the wire. Providers with shapes of their own start from it. */
export function renderResource(resource: Resource<unknown, unknown>): Record<string, unknown> {
  const properties = resource.properties as JsonObject;
  return {
    id: resource.id,
    name: resource.name,
    type: resource.type,
    ...(resource.location === undefined ? {} : { location: resource.location }),
    ...resource.envelope,
    etag: resource.etag,
    systemData: resource.systemData,
    properties: { ...properties, provisioningState: resource.provisioningState },
  };
}
