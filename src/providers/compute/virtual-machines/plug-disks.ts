// Disks that a machine gets or gives up while it is its host's: `az vm disk attach` and `detach` of a
// machine that runs, or that somebody else has defined. A disk belongs to the machine before it comes
// and until it has gone, so that whenever we die no two machines have it.

import type { ArmRequest } from "../../../arm/request.ts";
import { idKey } from "../../../arm/resource-id.ts";
import { findResource } from "../../../arm/resources/resource-store.ts";
import type { InventoryMachine } from "../../../inventory/inventory.ts";
import type { InventoryDisk } from "../../../inventory/machine-disks.ts";
import { HoldfastError } from "../../../lib/errors.ts";
import { disksToAttach, type WantedDisk } from "./disks-to-attach.ts";
import { computeErrors } from "../errors.ts";
import { ownParts, releaseParts } from "./parts.ts";
import type { ComputeServices } from "../services.ts";

export interface DiskChanges {
  readonly added: readonly WantedDisk[];
  readonly removed: readonly InventoryDisk[];
}

type DiskIds = Readonly<Record<string, string>>;

export async function plugDisks(
  services: ComputeServices,
  { resourceId, name }: InventoryMachine,
  { added, removed }: DiskChanges,
  { caller, signal }: Pick<ArmRequest, "caller" | "signal">,
): Promise<void> {
  const { host, machineId } = await services.inventory.open(resourceId, signal);
  const { diskPlug } = host;
  if (diskPlug === undefined) {
    throw computeErrors.OperationNotAllowed(
      `The host of ${name} (${host.kind}) cannot change disks of a machine: give the machine other disks on the host.`,
      { target: "properties.storageProfile" },
    );
  }
  const { defined, diskResourceIds } = await disksToAttach(services, resourceId, added, caller);
  for (const { disk } of removed) {
    await asRefusal(name, diskPlug.detach(machineId, disk.id, signal));
    await own(services, resourceId, ({ [disk.id]: _gone, ...kept }) => kept);
  }
  for (const disk of defined) {
    const id = diskResourceIds[disk.id];
    if (id === undefined) continue;
    await own(services, resourceId, (before) => ({ ...before, [disk.id]: id }));
    try {
      await asRefusal(name, diskPlug.attach(machineId, disk, signal));
    } catch (error) {
      await own(services, resourceId, ({ [disk.id]: _refused, ...kept }) => kept);
      throw error;
    }
  }
  await services.inventory.refreshMachine(resourceId, signal);
}

const refusals = new Set(["QemuRefused", "LibvirtRefused", "NoPlaceForDisk", "DiskKept", "OperationUnsupported"]);

/** What the host or the guest does not let happen is told as Azure tells it. */
async function asRefusal(machineName: string, change: Promise<void>): Promise<void> {
  try {
    await change;
  } catch (error) {
    if (!(error instanceof HoldfastError) || !refusals.has(error.code)) throw error;
    throw computeErrors.OperationNotAllowed(`The disks of ${machineName} cannot be changed so: ${error.sentence}`, {
      target: "properties.storageProfile",
      remedy: "Stop the machine with az vm deallocate and change its disks then.",
      cause: error,
    });
  }
}

/** Writes down which resources the machine's disks are, there and in the disks. */
async function own(
  { database }: ComputeServices,
  machineId: string,
  change: (before: DiskIds) => DiskIds,
): Promise<void> {
  await database.transaction(async (trx) => {
    await releaseParts(trx, machineId);
    const machine = await findResource<object, { diskResourceIds?: DiskIds }>(trx, machineId);
    const diskResourceIds = change(machine?.hidden.diskResourceIds ?? {});
    await trx
      .updateTable("resources")
      .set({ hidden: JSON.stringify({ ...machine?.hidden, diskResourceIds }) })
      .where("key", "=", idKey(machineId))
      .execute();
    await ownParts(trx, machineId);
  });
}
