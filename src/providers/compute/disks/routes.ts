// Microsoft.Compute/disks and snapshots: one kind of thing under two names. Their bytes are in
// src/disks. Disks that machines run on are shown beside them; those belong to the hosts.

import { startOperation } from "../../../arm/operations/operation.ts";
import type { ResourceLifecycle } from "../../../arm/provider.ts";
import { param } from "../../../arm/request.ts";
import { findResource, getResource } from "../../../arm/resources/resource-store.ts";
import { trackedRoutes, type Change, type Settled, type TrackedType } from "../../../arm/resources/tracked-routes.ts";
import type { Resource } from "../../../arm/resources/resource.ts";
import type { Route } from "../../../arm/routes.ts";
import { imageOf } from "../../../disks/image-rows.ts";
import { attachedDiskRoutes, findAttachedDisk } from "./attached-disks.ts";
import { planContent } from "./content.ts";
import { diskResourceErrors } from "./errors.ts";
import { reserveDisk, skuNamed } from "./new-disk.ts";
import {
  growDiskKind,
  registerDiskOperations,
  writeDiskKind,
  type GrowDiskInput,
  type WriteDiskInput,
} from "./operations.ts";
import {
  changedProperties,
  diskProperties,
  gibibyte,
  renderDisk,
  sizeOf,
  type DiskHidden,
  type DiskProperties,
} from "./properties.ts";
import type { DiskServices } from "../disk-services.ts";
import { followable } from "../followable.ts";
import { accessRoutes } from "./grant-access.ts";
import { checkResourceName } from "../resource-names.ts";
import { namespace, type RouteGroup } from "../route-group.ts";

const apiVersions = ["2026-03-02", "2025-01-02", "2024-03-02", "2023-04-02", "2022-07-02", "2022-03-02", "2020-05-01"];

export function disksAndSnapshots(services: DiskServices): RouteGroup {
  registerDiskOperations(services);
  const kinds = [kindOf(services, "disks", "Premium_LRS"), kindOf(services, "snapshots", "Standard_LRS")];
  return {
    resourceTypes: kinds.map(({ type }) => ({
      name: type.type,
      apiVersions,
      capabilities: "SupportsTags, SupportsLocation",
    })),
    routes: kinds.flatMap(({ routes }) => routes),
    lifecycles: Object.fromEntries(kinds.map(({ type, lifecycle }) => [type.type, lifecycle])),
  };
}

interface DiskKind {
  readonly type: TrackedType<DiskProperties>;
  readonly lifecycle: ResourceLifecycle;
  readonly routes: readonly Route[];
}

function kindOf(services: DiskServices, name: "disks" | "snapshots", defaultSku: string): DiskKind {
  const { database, disks } = services;
  const lifecycle: ResourceLifecycle = {
    blockers: async (_reader, resource) => [
      ...((await disks.grants.isGiven(resource.id))
        ? [
            `It is open for download by URL; revoke access first (az ${name === "disks" ? "disk" : "snapshot"} revoke-access).`,
          ]
        : []),
      // With a machine of its own group it goes.
      ...(resource.envelope.managedBy === undefined || isInGroupOf(resource.id, resource.envelope.managedBy)
        ? []
        : [attachedTo(resource.name, resource.envelope.managedBy)]),
    ],
    remove: (trx, resource) => disks.images.remove(trx, resource.id),
  };
  const type: TrackedType<DiskProperties> = {
    namespace,
    type: name,
    properties: diskProperties,
    checkName: checkResourceName,
    settle: (change) => settle(services, change, defaultSku),
    lifecycle,
    createdStatus: 200,
    render: (resource) => renderDisk(resource, database.clock.now()),
  };
  const tracked = trackedRoutes(services, type).map((route) => followed(services, route));
  const own =
    name === "disks"
      ? attachedDiskRoutes(
          services,
          tracked.map((route) => refusedAttached(services, route)),
        )
      : tracked;
  return { type, lifecycle, routes: [...own, ...accessRoutes(services, name)] };
}

/** Alone, no disk goes that a machine has. */
function refusedAttached({ database }: DiskServices, route: Route): Route {
  if (route.method !== "DELETE") return route;
  return {
    ...route,
    handle: async (request) => {
      const resource = await findResource(database.kysely, request.resourceId);
      const owner = resource?.envelope.managedBy;
      if (resource === undefined || owner === undefined) return route.handle(request);
      throw diskResourceErrors.OperationNotAllowed(attachedTo(resource.name, owner), { target: resource.id });
    },
  };
}

function attachedTo(name: string, machineId: string): string {
  return `The disk '${name}' is attached to ${machineId}: detach it first (az vm disk detach), or delete the machine.`;
}

function isInGroupOf(id: string, other: string): boolean {
  const groupOf = (one: string): string | undefined => one.toLowerCase().split("/providers/")[0];
  return groupOf(id) === groupOf(other);
}

/** A change that goes on after the answer is answered with the URLs of its operation. */
function followed(services: DiskServices, route: Route): Route {
  if (route.method !== "PUT" && route.method !== "PATCH") return route;
  return {
    ...route,
    handle: async (request) => {
      const reply = await route.handle(request);
      const resource = await getResource(services.database.kysely, request.resourceId);
      const { operationId } = resource.hidden as unknown as DiskHidden;
      if (resource.provisioningState !== "Updating" || operationId === undefined) return reply;
      services.operations.wake();
      return followable(request, resource.location, operationId, { ...reply, status: 202 });
    },
  };
}

async function settle(services: DiskServices, change: Change<DiskProperties>, defaultSku: string): Promise<Settled> {
  const { trx, id, name, existing, envelope, properties } = change;
  if (existing !== undefined) return settleChange(services, change, existing);
  if ((await findAttachedDisk(services, id)) !== undefined)
    throw diskResourceErrors.DiskAttachedToMachine(
      `The disk '${name}' is attached to a machine, whose host manages it.`,
    );
  const planned = await planContent(services, trx, change.request, properties);
  const sizeBytes = sizeOf(properties, planned);
  const { imageId, properties: created } = await reserveDisk(trx, { id, asked: properties, planned, sizeBytes });
  const input: WriteDiskInput = { imageId, content: planned.input, sizeBytes };
  const operationId = await begin(services, change, writeDiskKind, input);
  const hidden: DiskHidden = { imageId, operationId };
  return {
    properties: created,
    hidden,
    envelope: { ...envelope, sku: skuOf(envelope.sku, defaultSku) },
    provisioningState: "Updating",
  };
}

async function settleChange(
  services: DiskServices,
  change: Change<DiskProperties>,
  existing: Resource,
): Promise<Settled> {
  const { trx, id, envelope, properties, name } = change;
  const hidden = existing.hidden as unknown as DiskHidden;
  const old = existing.properties as {
    diskSizeGB: number;
    diskSizeBytes: number;
    creationData: { createOption: string };
  };
  if (existing.provisioningState === "Updating")
    throw diskResourceErrors.OperationNotAllowed(
      `Another operation on '${name}' is in progress. Try again when it has ended.`,
    );
  const option = properties.creationData?.createOption;
  if (option !== undefined && option !== old.creationData.createOption)
    throw diskResourceErrors.OperationNotAllowed(
      `'${name}' was created with createOption ${old.creationData.createOption}; that does not change to ${option}.`,
      { target: "creationData" },
    );
  const wanted = properties.diskSizeGB ?? old.diskSizeGB;
  const sku = envelope.sku === undefined ? existing.envelope.sku : skuOf(envelope.sku, "");
  if (wanted === old.diskSizeGB)
    return {
      properties: changedProperties(properties, existing.properties, old.diskSizeBytes),
      hidden,
      envelope: { ...envelope, sku },
      provisioningState: existing.provisioningState,
    };
  const image = await imageOf(trx, id);
  const sizeBytes = wanted * gibibyte;
  if (wanted < old.diskSizeGB || image === undefined || !image.isReady)
    throw diskResourceErrors.OperationNotAllowed(
      `'${name}' has ${old.diskSizeGB} GiB and cannot become ${wanted} GiB: a disk only grows.`,
      { target: "diskSizeGB" },
    );
  if (await services.disks.grants.isGiven(id))
    throw diskResourceErrors.DiskInActiveSasState(`'${name}' is open for download by URL.`);
  const input: GrowDiskInput = { imageId: image.imageId, sizeBytes };
  const operationId = await begin(services, change, growDiskKind, input);
  return {
    properties: changedProperties(properties, existing.properties, sizeBytes),
    hidden: { ...hidden, operationId },
    envelope: { ...envelope, sku },
    provisioningState: "Updating",
  };
}

function begin(
  services: DiskServices,
  { trx, id, request, caller }: Change<DiskProperties>,
  kind: string,
  input: object,
): Promise<string> {
  return startOperation(trx, services.database.clock, {
    kind,
    subscriptionId: param(request, "subscriptionId"),
    resourceId: id,
    input,
    caller,
    correlationId: request.correlationId,
  });
}

function skuOf(asked: Readonly<Record<string, unknown>> | undefined, defaultSku: string): ReturnType<typeof skuNamed> {
  return skuNamed(typeof asked?.["name"] === "string" ? asked["name"] : defaultSku);
}
