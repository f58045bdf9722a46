// `attachDetachDataDisks`: data disks come and go in one request, and nothing else of the machine is said.

import { z } from "zod";
import { armErrors } from "../../../arm/errors.ts";
import { checkPreconditions, preconditionsOf } from "../../../arm/preconditions.ts";
import { ok, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { idKey } from "../../../arm/resource-id.ts";
import type { Route } from "../../../arm/routes.ts";
import type { InventoryMachine } from "../../../inventory/inventory.ts";
import { disksOf } from "../../../inventory/machine-disks.ts";
import type { ComputeServices } from "../services.ts";
import { mostDataDisks, type BodyDisk, type MachineBody } from "./body.ts";
import { findMachine, machinePath } from "./find-machine.ts";
import { changeMachine } from "./put.ts";
import { renderStorageProfile } from "./shape.ts";

const diskId = z.string().min(1).max(2048);
const attachDetachSchema = z.object({
  dataDisksToAttach: z
    .array(
      z.object({
        diskId,
        lun: z.number().int().min(0).max(mostDataDisks).nullish(),
        caching: z.enum(["None", "ReadOnly", "ReadWrite"]).nullish(),
      }),
    )
    .max(mostDataDisks)
    .nullish(),
  dataDisksToDetach: z
    .array(
      z.object({
        diskId,
        detachOption: z.null("must be left out: a disk is never torn from a guest that holds it").optional(),
      }),
    )
    .max(mostDataDisks)
    .nullish(),
});
type AttachDetach = z.output<typeof attachDetachSchema>;

export function attachDetachRoute(services: ComputeServices): Route {
  return {
    method: "POST",
    path: `${machinePath}/attachDetachDataDisks`,
    handle: (request) => attachDetach(services, request),
  };
}

async function attachDetach(services: ComputeServices, request: ArmRequest): Promise<ArmReply> {
  const asked = parseBody(request, attachDetachSchema);
  const { resource, machine } = await findMachine(services, request.resourceId);
  const preconditions = preconditionsOf(request);
  checkPreconditions(preconditions, resource.etag, resource.id);
  const storageProfile = { dataDisks: disksAfter(asked, machine) };
  const body: MachineBody = {
    properties: { kept: {}, storageProfile, hardwareProfile: undefined, hostId: undefined },
  };
  await changeMachine(services, machine, body, request, preconditions);
  const after = await findMachine(services, resource.id);
  return ok(renderStorageProfile(after.resource, after.machine));
}

function disksAfter({ dataDisksToAttach, dataDisksToDetach }: AttachDetach, machine: InventoryMachine): BodyDisk[] {
  const present = disksOf(machine).filter(({ lun }) => lun >= 0);
  const leaving = new Set((dataDisksToDetach ?? []).map((one) => idKey(one.diskId)));
  for (const one of dataDisksToDetach ?? []) {
    if (present.some(({ resourceId }) => idKey(resourceId) === idKey(one.diskId))) continue;
    throw armErrors.InvalidParameter(
      `'dataDisksToDetach.diskId': the disk ${one.diskId} is no data disk of ${machine.name}. It has: ${present.map(({ name }) => name).join(", ") || "none"}.`,
      { target: "dataDisksToDetach.diskId" },
    );
  }
  const disks: BodyDisk[] = present
    .filter(({ resourceId }) => !leaving.has(idKey(resourceId)))
    .map(({ lun, resourceId }) => ({ lun, managedDisk: { id: resourceId } }));
  const arriving = (dataDisksToAttach ?? []).filter(
    (one) => !disks.some(({ managedDisk }) => idKey(managedDisk?.id ?? "") === idKey(one.diskId)),
  );
  const taken = new Set([...disks, ...arriving].map(({ lun }) => lun));
  for (const { diskId: id, lun, caching } of arriving) {
    const place = lun ?? firstFree(taken);
    taken.add(place);
    disks.push({ lun: place, createOption: "Attach", managedDisk: { id }, ...(caching ? { caching } : {}) });
  }
  return disks;
}

function firstFree(taken: ReadonlySet<unknown>): number {
  let lun = 0;
  while (taken.has(lun)) lun += 1;
  return lun;
}
