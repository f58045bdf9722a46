// restorePointCollections/restorePoints: all chosen disks of a machine at one instant.

import { z } from "zod";
import { startOperation } from "../../../arm/operations/operation.ts";
import { noContent, ok, param, parseBody, type ArmReply, type ArmRequest, type Draft } from "../../../arm/request.ts";
import {
  deleteResource,
  findResource,
  getResource,
  putResource,
  resourceNotFound,
  type Writer,
} from "../../../arm/resources/resource-store.ts";
import type { Resource } from "../../../arm/resources/resource.ts";
import type { Route } from "../../../arm/routes.ts";
import { parseStoreName } from "../../../backup/stores/store-name.ts";
import { disksOf, diskType } from "../../../inventory/machine-disks.ts";
import type { InventoryMachine } from "../../../inventory/machine.ts";
import { isErrorCode } from "../../../lib/errors.ts";
import { deletePoint, parsePointName } from "../../../store/index.ts";
import { diskResourceErrors } from "../disks/errors.ts";
import { collectionType, diskRestorePointsOf, findDiskRestorePoint, hiddenOf, pointsOf } from "./rows.ts";
import type { DiskServices } from "../disk-services.ts";
import { checkResourceName } from "../resource-names.ts";
import { followable } from "../followable.ts";
import { diskRestorePointAccessRoutes } from "../disks/grant-access.ts";
import { createRestorePointKind, registerRestorePointOperation, type CreateRestorePointInput } from "./operation.ts";
import { tellRestorePoint } from "./events.ts";
import { consistencyModes, levelOfMode, renderDiskRestorePoint, renderRestorePoint } from "./shape.ts";

const one = `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/${collectionType}/{collection}/restorePoints/{point}`;
const mostPoints = 500;

export function restorePointRoutes(services: DiskServices): Route[] {
  registerRestorePointOperation(services);
  const { database } = services;
  const disksOfPoint = async (request: ArmRequest): Promise<Resource> => {
    const id = `${request.path.split("/diskRestorePoints")[0]}`;
    return getResource(database.kysely, id);
  };
  return [
    { method: "PUT", path: one, handle: (request) => create(services, request), check: asked },
    {
      method: "GET",
      path: one,
      handle: async (request) => {
        const point = await getResource(database.kysely, request.resourceId);
        return ok(renderRestorePoint(point, request.query.get("$expand")?.toLowerCase() === "instanceview"));
      },
    },
    { method: "DELETE", path: one, handle: (request) => remove(services, request) },
    {
      method: "GET",
      path: `${one}/diskRestorePoints`,
      handle: async (request) =>
        ok({ value: diskRestorePointsOf(await disksOfPoint(request)).map((disk) => renderDiskRestorePoint(disk)) }),
    },
    {
      method: "GET",
      path: `${one}/diskRestorePoints/{name}`,
      handle: async (request) => {
        const found = await findDiskRestorePoint(database.kysely, request.resourceId);
        if (found === undefined) throw resourceNotFound(request.resourceId);
        return ok(renderDiskRestorePoint(found));
      },
    },
    ...diskRestorePointAccessRoutes(services),
  ];
}

const pointBody = z.object({
  properties: z
    .object({
      excludeDisks: z
        .array(z.object({ id: z.string().max(2048) }))
        .max(64)
        .nullish(),
      consistencyMode: z.enum(consistencyModes).nullish(),
      sourceRestorePoint: z.object({ id: z.string() }).nullish(),
    })
    .nullish(),
});

function asked(draft: Draft) {
  checkResourceName(param(draft, "point"));
  const properties = (draft.body === undefined ? {} : parseBody(draft, pointBody)).properties ?? {};
  if (properties.sourceRestorePoint)
    throw diskResourceErrors.RestorePointCopyUnsupported("Restore points are not copied between collections.", {
      target: "sourceRestorePoint",
    });
  return properties;
}

async function create(services: DiskServices, request: ArmRequest): Promise<ArmReply> {
  const { database, operations } = services;
  const { excludeDisks: excluded, consistencyMode } = asked(request);
  const collection = await getResource(database.kysely, request.resourceId.split("/restorePoints/")[0] ?? "");
  const { source } = collection.properties as { source: { id: string } };
  const machine = await services.inventory.findMachine(source.id);
  if (machine === undefined)
    throw diskResourceErrors.SourceInvalid(
      `The virtual machine '${source.id}' of the collection is not there any more.`,
    );
  const excludeDisks = excluded ?? [];
  await mayReadDisks(services, request, machine, excludeDisks);
  const input: CreateRestorePointInput = {
    collectionId: collection.id,
    machineId: machine.resourceId,
    excludedLuns: excludeDisks.map(({ id }) => lunOf(machine, id)),
    // Azure tries for the best when nothing is said.
    wanted: levelOfMode[consistencyMode ?? "ApplicationConsistent"],
  };
  const { point, operationId } = await database.transaction(async (trx) => {
    await refuseCreation(trx, request, collection);
    const operationId = await startOperation(trx, database.clock, {
      kind: createRestorePointKind,
      subscriptionId: param(request, "subscriptionId"),
      resourceId: request.resourceId,
      input,
      caller: request.caller,
      correlationId: request.correlationId,
    });
    const { resource } = await putResource(
      trx,
      {
        id: request.resourceId,
        properties: {
          excludeDisks,
          ...(consistencyMode ? { consistencyMode } : {}),
        },
        hidden: { operationId },
        provisioningState: "Creating",
      },
      { caller: request.caller, clock: database.clock },
    );
    return { point: resource, operationId };
  });
  operations.wake();
  return followable(request, collection.location, operationId, { status: 201, body: renderRestorePoint(point, false) });
}

/** A restore point gives its owner the bytes of the disks: to see the machine is not enough. */
async function mayReadDisks(
  { access }: DiskServices,
  { caller }: ArmRequest,
  machine: InventoryMachine,
  excluded: readonly { readonly id: string }[],
): Promise<void> {
  const left = new Set(excluded.map(({ id }) => id.toLowerCase()));
  for (const { resourceId } of disksOf(machine)) {
    if (left.has(resourceId.toLowerCase())) continue;
    await access.check({
      principal: { objectId: caller.principalId, name: caller.name },
      action: `${diskType}/beginGetAccess/action`,
      scope: resourceId,
    });
  }
}

async function refuseCreation(trx: Writer, request: ArmRequest, collection: Resource): Promise<void> {
  if ((await findResource(trx, request.resourceId)) !== undefined)
    throw diskResourceErrors.RestorePointAlreadyExists(
      `The restore point '${param(request, "point")}' exists already.`,
    );
  const others = await pointsOf(trx, collection.id);
  const busy = others.find(({ provisioningState }) => provisioningState === "Creating");
  if (busy !== undefined)
    throw diskResourceErrors.RestorePointCreationInProgress(
      `The restore point '${busy.name}' of '${collection.name}' is being created.`,
    );
  if (others.length >= mostPoints)
    throw diskResourceErrors.RestorePointLimitExceeded(
      `The collection '${collection.name}' holds ${others.length} restore points; ${mostPoints} are allowed.`,
    );
}

function lunOf(machine: InventoryMachine, diskId: string): number {
  const disks = disksOf(machine);
  const found = disks.find(({ resourceId }) => resourceId.toLowerCase() === diskId.toLowerCase());
  if (found === undefined || found.lun === -1) {
    const data = disks.filter(({ lun }) => lun >= 0).map(({ resourceId }) => resourceId);
    throw diskResourceErrors.SourceInvalid(
      `'${diskId.slice(0, 300)}' cannot be excluded: it is ${found === undefined ? "no disk of the machine" : "the machine's system disk"}. Data disks are: ${data.join(", ") || "none"}.`,
      { target: "excludeDisks" },
    );
  }
  return found.lun;
}

async function remove({ database, disks, stores }: DiskServices, request: ArmRequest): Promise<ArmReply> {
  const point = await findResource(database.kysely, request.resourceId);
  if (point === undefined) return noContent();
  if (point.provisioningState === "Creating")
    throw diskResourceErrors.OperationNotAllowed(`The restore point '${point.name}' is being created.`);
  for (const { id, row } of diskRestorePointsOf(point)) {
    if (await disks.grants.isGiven(id))
      throw diskResourceErrors.DiskRestorePointUsedByCustomer(`The disk '${row.name}' is open for download by URL.`);
  }
  const { store, point: name } = hiddenOf(point);
  // The bytes first: a restore point that is listed can be restored.
  if (store !== undefined && name !== undefined) {
    await using opened = await stores.open(parseStoreName(store));
    try {
      await deletePoint(opened.vault, parsePointName(name), request.signal);
    } catch (error) {
      if (!isErrorCode(error, "PointMissing")) throw error; // an earlier attempt came as far as here
    }
  }
  await database.transaction(async (trx) => {
    if (await deleteResource(trx, point.id)) tellRestorePoint(trx, "deleted", point.id, request);
  });
  return { status: 200 };
}
