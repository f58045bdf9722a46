// beginGetAccess and endGetAccess: a disk's bytes by URL, for a while.

import { z } from "zod";
import { ok, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { findResource, getResource, resourceNotFound } from "../../../arm/resources/resource-store.ts";
import type { Resource } from "../../../arm/resources/resource.ts";
import type { Route } from "../../../arm/routes.ts";
import type { GrantedDisk } from "../../../disks/grants.ts";
import { readyImageOf } from "../../../disks/image-rows.ts";
import { findAttachedDisk } from "./attached-disks.ts";
import { changeResource } from "../change-resource.ts";
import { diskResourceErrors } from "./errors.ts";
import { findDiskRestorePoint, restorePointType } from "../restore-points/rows.ts";
import type { DiskServices } from "../disk-services.ts";
import { namespace } from "../route-group.ts";

const inGroup = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers";

export function accessRoutes(services: DiskServices, type: "disks" | "snapshots"): Route[] {
  const one = `${inGroup}/${namespace}/${type}/{name}`;
  return [
    { method: "POST", path: `${one}/beginGetAccess`, handle: (request) => beginForDisk(services, request) },
    { method: "POST", path: `${one}/endGetAccess`, handle: (request) => endForDisk(services, request) },
  ];
}

export function diskRestorePointAccessRoutes(services: DiskServices): Route[] {
  const [collection, point] = restorePointType.split("/").slice(1);
  const one = `${inGroup}/${namespace}/${collection}/{collection}/${point}/{point}/diskRestorePoints/{name}`;
  return [
    {
      method: "POST",
      path: `${one}/beginGetAccess`,
      handle: async (request) => {
        const found = await findDiskRestorePoint(services.database.kysely, request.resourceId);
        if (found === undefined) throw resourceNotFound(request.resourceId);
        return grant(services, request, found.id, found.granted);
      },
    },
    {
      method: "POST",
      path: `${one}/endGetAccess`,
      handle: async (request) => {
        const found = await findDiskRestorePoint(services.database.kysely, request.resourceId);
        if (found === undefined) throw resourceNotFound(request.resourceId);
        await services.disks.grants.revoke(found.id);
        return { status: 200 };
      },
    },
  ];
}

const longestSeconds = 2 ** 32 - 1;
const accessBody = z.object({
  access: z.enum(["Read"], "must be Read: nothing is written to a disk by URL"),
  durationInSeconds: z.number().int().min(1).max(longestSeconds),
  fileFormat: z.enum(["VHD"], "must be VHD").nullish(),
});

async function grant(
  services: DiskServices,
  request: ArmRequest,
  owner: string,
  granted: GrantedDisk,
): Promise<ArmReply> {
  const { durationInSeconds } = parseBody(request, accessBody);
  return ok({ accessSAS: await services.disks.grants.give(owner, granted, durationInSeconds) });
}

async function beginForDisk(services: DiskServices, request: ArmRequest): Promise<ArmReply> {
  const { durationInSeconds } = parseBody(request, accessBody);
  const { database } = services;
  const resource = await findResource(database.kysely, request.resourceId);
  if (resource === undefined) {
    const attached = await findAttachedDisk(services, request.resourceId);
    if (attached === undefined) throw resourceNotFound(request.resourceId);
    throw diskResourceErrors.DiskAttachedToMachine(
      `The disk '${attached.attached.name}' is attached to ${attached.machine.resourceId}.`,
    );
  }
  refuseClosed(resource);
  const { imageId, size } = await readyImageOf(database.kysely, resource.id);
  const reply = await grant(services, request, resource.id, { kind: "image", imageId, size, uniqueId: imageId });
  const before = (resource.hidden as { accessUntil?: number }).accessUntil ?? 0;
  const accessUntil = Math.max(before, database.clock.now() + durationInSeconds * 1000);
  await database.transaction((trx) => changeResource(trx, resource.id, { hidden: { accessUntil } }));
  return reply;
}

/** There are no private links here by which a disk that is closed to others could be reached. */
function refuseClosed({ name, properties }: Resource): void {
  const { networkAccessPolicy, publicNetworkAccess } = properties;
  if (networkAccessPolicy === "AllowAll" && publicNetworkAccess === "Enabled") return;
  throw diskResourceErrors.OperationNotAllowed(
    `The disk '${name}' is not to be downloaded: networkAccessPolicy is '${String(networkAccessPolicy)}', publicNetworkAccess '${String(publicNetworkAccess)}'. Set them to AllowAll and Enabled first.`,
    { target: "networkAccessPolicy" },
  );
}

async function endForDisk({ database, disks }: DiskServices, request: ArmRequest): Promise<ArmReply> {
  const resource = await getResource(database.kysely, request.resourceId);
  await disks.grants.revoke(resource.id);
  await database.transaction((trx) => changeResource(trx, resource.id, { hidden: { accessUntil: 0 } }));
  return { status: 200 };
}
