// The disks that machines run on, shown among the managed disks: `az disk list` tells of all of them.

import { replyMerged } from "../../../arm/merged-page.ts";
import type { ArmReply, ArmRequest } from "../../../arm/request.ts";
import { ok, param } from "../../../arm/request.ts";
import { tryParseResourceId } from "../../../arm/resource-id.ts";
import { findResource, listResources } from "../../../arm/resources/resource-store.ts";
import type { Route } from "../../../arm/routes.ts";
import { diskType, disksOf, type InventoryDisk } from "../../../inventory/machine-disks.ts";
import type { InventoryMachine } from "../../../inventory/machine.ts";
import { renderDisk } from "./properties.ts";
import type { DiskServices } from "../disk-services.ts";
import { gibibytes } from "../virtual-machines/shape.ts";

interface AttachedDisk {
  readonly machine: InventoryMachine;
  readonly attached: InventoryDisk;
}

export async function findAttachedDisk(services: DiskServices, id: string): Promise<AttachedDisk | undefined> {
  const { subscriptionId, resourceGroup } = tryParseResourceId(id) ?? {};
  const all = await attachedDisks(services, subscriptionId, resourceGroup);
  return all.find(({ attached }) => attached.resourceId.toLowerCase() === id.toLowerCase());
}

/** The routes of managed disks, with reading and listing widened to attached ones. */
export function attachedDiskRoutes(services: DiskServices, routes: readonly Route[]): Route[] {
  return routes.map((route) => {
    if (route.method !== "GET") return route;
    if (!route.path.endsWith("/{name}")) return { ...route, handle: (request) => list(services, request) };
    return {
      ...route,
      handle: async (request) => {
        const isOwn = (await findResource(services.database.kysely, request.resourceId)) !== undefined;
        const found = isOwn ? undefined : await findAttachedDisk(services, request.resourceId);
        return found === undefined ? route.handle(request) : ok(render(found));
      },
    };
  });
}

async function list(services: DiskServices, request: ArmRequest): Promise<ArmReply> {
  const { database, paging } = services;
  const page = paging.read(request);
  const subscriptionId = param(request, "subscriptionId");
  const resourceGroup = request.params["resourceGroup"];
  const own = await listResources(database.kysely, {
    subscriptionId,
    resourceGroup,
    type: diskType,
    after: page.after,
    limit: page.limit + 1,
  });
  const now = database.clock.now();
  const others = await attachedDisks(services, subscriptionId, resourceGroup);
  return replyMerged(
    paging,
    request,
    page,
    own.map((resource) => ({ key: resource.id.toLowerCase(), shown: renderDisk(resource, now) })),
    others.map((disk) => ({ key: disk.attached.resourceId.toLowerCase(), shown: render(disk) })),
  );
}

async function attachedDisks(
  { inventory }: DiskServices,
  subscriptionId: string | undefined,
  resourceGroup: string | undefined,
): Promise<AttachedDisk[]> {
  const machines = await inventory.listMachines({ subscriptionId, resourceGroup });
  return machines.flatMap((machine) => disksOf(machine).map((attached) => ({ machine, attached })));
}

function render({ machine, attached }: AttachedDisk): Record<string, unknown> {
  const { disk, name, resourceId, lun } = attached;
  return {
    id: resourceId,
    name,
    type: diskType,
    location: machine.location,
    sku: { name: "Premium_LRS", tier: "Premium" },
    managedBy: machine.resourceId,
    tags: {},
    properties: {
      creationData: { createOption: "Attach" },
      diskSizeGB: gibibytes(disk.sizeBytes),
      diskSizeBytes: disk.sizeBytes,
      ...(lun === -1 ? { osType: machine.osType } : {}),
      diskState: machine.machine.powerState === "stopped" ? "Reserved" : "Attached",
      encryption: { type: "EncryptionAtRestWithPlatformKey" },
      hyperVGeneration: "V1",
      networkAccessPolicy: "AllowAll",
      publicNetworkAccess: "Enabled",
      provisioningState: "Succeeded",
    },
  };
}
