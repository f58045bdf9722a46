// Empty disks that a machine's body asks for (`az vm disk attach --new`): made as `az disk create` makes
// them, before they are attached. What cannot be attached after that goes again.

import type { ArmRequest } from "../../../arm/request.ts";
import { parseResourceId } from "../../../arm/resource-id.ts";
import { deleteResource, findResource } from "../../../arm/resources/resource-store.ts";
import type { InventoryMachine } from "../../../inventory/inventory.ts";
import { diskType } from "../../../inventory/machine-disks.ts";
import { newGuid } from "../../../lib/random.ts";
import { changeResource } from "../change-resource.ts";
import { findAttachedDisk } from "../disks/attached-disks.ts";
import type { PlannedContent } from "../disks/content.ts";
import { putNewDisk } from "../disks/new-disk.ts";
import { diskProperties, sizeOf } from "../disks/properties.ts";
import { computeErrors } from "../errors.ts";
import { checkResourceName } from "../resource-names.ts";
import type { ComputeServices } from "../services.ts";
import type { BodyDisk } from "./body.ts";

/** Runs `use` with the disks, the new ones among them as what they have become. */
export async function withNewDisks(
  services: ComputeServices,
  request: ArmRequest,
  machine: InventoryMachine,
  disks: readonly BodyDisk[],
  use: (disks: readonly BodyDisk[]) => Promise<void>,
): Promise<void> {
  const made: string[] = [];
  const ready: BodyDisk[] = [];
  try {
    for (const disk of disks) {
      if (disk.createOption?.toLowerCase() !== "empty") {
        ready.push(disk);
        continue;
      }
      const id = await makeDisk(services, request, machine, disk);
      made.push(id);
      ready.push({ ...disk, createOption: "Attach", managedDisk: { ...disk.managedDisk, id } });
    }
    await use(ready);
  } catch (error) {
    for (const id of made) await removeUnattached(services, id);
    throw error;
  }
}

async function makeDisk(
  services: ComputeServices,
  request: ArmRequest,
  machine: InventoryMachine,
  disk: BodyDisk,
): Promise<string> {
  const { database, access } = services;
  const { caller, signal } = request;
  const name = disk.name ?? `${machine.name}_lun_${disk.lun}_${newGuid().slice(0, 8)}`;
  checkResourceName(name);
  const { subscriptionId, resourceGroup } = parseResourceId(machine.resourceId);
  const id = `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/providers/${diskType}/${name}`;
  await access.check({
    principal: { objectId: caller.principalId, name: caller.name },
    action: `${diskType}/write`,
    scope: id,
  });
  const asked = diskProperties.parse({ creationData: { createOption: "Empty" }, diskSizeGB: sizeAsked(disk) });
  const planned: PlannedContent = { input: { kind: "empty" }, sizeBytes: undefined };
  const sizeBytes = sizeOf(asked, planned);
  const imageId = await database.transaction(async (trx) => {
    const isTaken = (await findResource(trx, id)) !== undefined || (await findAttachedDisk(services, id)) !== undefined;
    if (isTaken) {
      throw computeErrors.OperationNotAllowed(
        `There is a disk '${name}' already: attach it as it is (createOption 'Attach' with its id; az vm disk attach without --new), or choose another name.`,
        { target: "storageProfile.dataDisks" },
      );
    }
    const sku = disk.managedDisk?.storageAccountType ?? "Premium_LRS";
    return putNewDisk(trx, { id, asked, planned, sizeBytes, location: machine.location, sku, caller });
  });
  await services.disks.images.write(imageId, { kind: "empty" }, sizeBytes, signal);
  await database.transaction((trx) => changeResource(trx, id, { provisioningState: "Succeeded" }));
  return id;
}

function sizeAsked({ name, lun, diskSizeGB }: BodyDisk): number {
  const parsed = diskProperties.shape.diskSizeGB.safeParse(diskSizeGB);
  if (parsed.success && typeof parsed.data === "number") return parsed.data;
  throw computeErrors.OperationNotAllowed(
    `The new disk ${name ?? `of lun ${lun}`} needs diskSizeGB, a whole number of GiB (seen: ${diskSizeGB ?? "nothing"}).`,
    { target: "storageProfile.dataDisks.diskSizeGB" },
  );
}

/** A machine that has got it after all keeps it. */
async function removeUnattached({ database, disks }: ComputeServices, id: string): Promise<void> {
  await database.transaction(async (trx) => {
    const resource = await findResource(trx, id);
    if (resource === undefined || resource.envelope.managedBy !== undefined) return;
    await disks.images.remove(trx, id);
    await deleteResource(trx, id);
  });
}
