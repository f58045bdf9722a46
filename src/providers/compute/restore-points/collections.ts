// Microsoft.Compute/restorePointCollections: the restore points of one machine, in a store of their own.

import { z } from "zod";
import type { ResourceLifecycle } from "../../../arm/provider.ts";
import { ok, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { tryParseResourceId } from "../../../arm/resource-id.ts";
import { getResource } from "../../../arm/resources/resource-store.ts";
import { trackedRoutes, type Change, type Settled, type TrackedType } from "../../../arm/resources/tracked-routes.ts";
import { renderResource, type JsonObject, type Resource } from "../../../arm/resources/resource.ts";
import { collectionStore } from "../../../backup/stores/store-name.ts";
import { scopeOf } from "../../../db/transaction.ts";
import { machineType } from "../../../inventory/machine.ts";
import { newGuid } from "../../../lib/random.ts";
import { diskRestorePointsOf, pointsOf, restorePointType, type CollectionHidden } from "./rows.ts";
import { diskResourceErrors } from "../disks/errors.ts";
import type { DiskServices } from "../disk-services.ts";
import { checkResourceName } from "../resource-names.ts";
import { machineApiVersions, namespace, type RouteGroup } from "../route-group.ts";
import { renderRestorePoint } from "./shape.ts";
import { restorePointRoutes } from "./routes.ts";

const properties = z.looseObject({ source: z.looseObject({ id: z.string().max(2048) }).optional() });
type CollectionProperties = z.output<typeof properties>;

export function restorePointCollections(services: DiskServices): RouteGroup {
  const { database, disks, stores } = services;
  const lifecycle: ResourceLifecycle = {
    blockers: async (reader, collection) => {
      const reasons: string[] = [];
      for (const point of await pointsOf(reader, collection.id)) {
        if (point.provisioningState === "Creating") reasons.push(`The restore point '${point.name}' is being created.`);
        for (const { id, row } of diskRestorePointsOf(point)) {
          if (await disks.grants.isGiven(id))
            reasons.push(`The disk '${row.name}' of '${point.name}' is open for download by URL.`);
        }
      }
      return reasons;
    },
    remove: async (trx, collection) => {
      const { guid } = collection.hidden as unknown as CollectionHidden;
      // What does not come off now is found without its collection later, and dropped then.
      scopeOf(trx).afterCommit(() => void stores.drop(collectionStore(guid)).catch(() => {}));
    },
  };
  const type: TrackedType<CollectionProperties> = {
    namespace,
    type: "restorePointCollections",
    properties,
    checkName: checkResourceName,
    settle: (change) => settle(services, change),
    lifecycle,
    render: renderCollection,
  };
  const tracked = trackedRoutes(services, type).map((route) =>
    route.method === "GET" && route.path.endsWith("/{name}") ? { ...route, handle: show } : route,
  );

  async function show(request: ArmRequest): Promise<ArmReply> {
    const collection = await getResource(database.kysely, request.resourceId);
    const shown = renderCollection(collection);
    if (request.query.get("$expand")?.toLowerCase() !== "restorepoints") return ok(shown);
    const points = await pointsOf(database.kysely, collection.id);
    return ok({
      ...shown,
      properties: {
        ...(shown["properties"] as JsonObject),
        restorePoints: points.map((point) => renderRestorePoint(point, false)),
      },
    });
  }

  return {
    resourceTypes: [
      { name: type.type, apiVersions: machineApiVersions, capabilities: "SupportsTags, SupportsLocation" },
      { name: restorePointType.slice(namespace.length + 1), apiVersions: machineApiVersions },
      { name: `${restorePointType.slice(namespace.length + 1)}/diskRestorePoints`, apiVersions: machineApiVersions },
    ],
    routes: [...tracked, ...restorePointRoutes(services)],
    lifecycles: { [type.type]: lifecycle },
  };
}

async function settle(services: DiskServices, change: Change<CollectionProperties>): Promise<Settled> {
  const { existing, caller } = change;
  const source = change.properties.source?.id;
  if (existing !== undefined) {
    const kept = existing.properties as { source: { id: string } };
    if (source !== undefined && source.toLowerCase() !== kept.source.id.toLowerCase())
      throw diskResourceErrors.OperationNotAllowed(
        `The collection '${existing.name}' holds restore points of ${kept.source.id}; that does not change.`,
        { target: "source.id" },
      );
    return { properties: existing.properties, hidden: existing.hidden };
  }
  if (source === undefined || tryParseResourceId(source)?.type.toLowerCase() !== machineType.toLowerCase())
    throw diskResourceErrors.SourceInvalid("'source.id' must be the id of a virtual machine.", { target: "source.id" });
  await services.access.check({
    principal: { objectId: caller.principalId, name: caller.name },
    action: `${machineType}/read`,
    scope: source,
  });
  const machine = await services.inventory.findMachine(source);
  if (machine === undefined)
    throw diskResourceErrors.SourceInvalid(`The virtual machine '${source}' was not found.`, { target: "source.id" });
  const guid = newGuid();
  return {
    properties: { source: { id: machine.resourceId, location: machine.location }, restorePointCollectionId: guid },
    hidden: { guid } satisfies CollectionHidden,
  };
}

function renderCollection(collection: Resource): Record<string, unknown> {
  const { etag: _etag, systemData: _systemData, ...shown } = renderResource(collection);
  return shown;
}
