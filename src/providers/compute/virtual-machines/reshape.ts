// Other disks, or another size. A machine that was made from disks here and does not run is defined
// anew with the same identity; any other gets and gives up disks as it is, where its host can do that.

import { armErrors } from "../../../arm/errors.ts";
import type { ArmRequest } from "../../../arm/request.ts";
import { idKey, tryParseResourceId } from "../../../arm/resource-id.ts";
import { findResource } from "../../../arm/resources/resource-store.ts";
import type { InventoryMachine } from "../../../inventory/inventory.ts";
import { disksOf, type InventoryDisk } from "../../../inventory/machine-disks.ts";
import { disksToAttach, type WantedDisk } from "./disks-to-attach.ts";
import { computeErrors } from "../errors.ts";
import { withNewDisks } from "./new-disks.ts";
import { ownParts, releaseParts } from "./parts.ts";
import { plugDisks } from "./plug-disks.ts";
import { sizeNamed, sizeNameOf } from "./sizes.ts";
import type { ComputeServices } from "../services.ts";
import type { BodyDisk, MachineBody, StorageProfile } from "./body.ts";
import { sizeOf, type MachineHidden } from "./shape.ts";

interface Changes {
  readonly size: string | undefined;
  /** The disk to boot from instead. */
  readonly system: string | undefined;
  readonly added: readonly BodyDisk[];
  readonly removed: readonly InventoryDisk[];
  /** For people. */
  readonly said: readonly string[];
}

/** Brings the machine to what the body asks for; refuses what cannot be done. */
export async function reshapeMachine(
  services: ComputeServices,
  machine: InventoryMachine,
  body: MachineBody,
  request: ArmRequest,
): Promise<void> {
  const { database, inventory } = services;
  const { signal } = request;
  const resource = await findResource<object, MachineHidden>(database.kysely, machine.resourceId);
  const hidden = resource?.hidden ?? {};
  const changes = changesIn(body, hidden, machine);
  if (changes.said.length === 0) return;
  const needsRest = changes.size !== undefined || changes.system !== undefined;
  if (hidden.network === undefined && needsRest) {
    throw computeErrors.OperationNotAllowed(
      `The size and the system disk of ${machine.name} are its host's: cannot ${changes.said.join(", ")}. Change it on the host (what is shown here follows), or make a machine from disks: PUT a new virtual machine whose disks have createOption 'Attach'.`,
      { target: "properties" },
    );
  }
  const seen = await inventory.refreshMachine(machine.resourceId, signal);
  const { network } = hidden;
  if (network === undefined || seen.machine.powerState !== "stopped") {
    if (needsRest) {
      throw computeErrors.OperationNotAllowed(
        `${machine.name} runs: cannot ${changes.said.join(", ")}. Stop it with az vm deallocate, then try again.`,
        { target: "properties" },
      );
    }
    const taken = new Set(seen.machine.disks.map(({ id }) => id));
    await withNewDisks(services, request, seen, changes.added, (added) =>
      plugDisks(services, seen, { added: wantedOf(added, taken), removed: changes.removed }, request),
    );
    return;
  }
  const size = changes.size === undefined ? undefined : sizeNamed(changes.size);
  if (changes.size !== undefined && size === undefined) {
    throw computeErrors.OperationNotAllowed(`There is no size '${changes.size}'. See az vm list-sizes.`, {
      target: "vmSize",
    });
  }
  const kept = disksOf(seen).filter(({ resourceId }) => !changes.removed.some((one) => one.resourceId === resourceId));
  await withNewDisks(services, request, seen, changes.added, async (added) => {
    const wanted = kept.map(({ disk, resourceId, lun }): WantedDisk => ({
      serial: disk.id,
      resourceId: lun === -1 ? (changes.system ?? resourceId) : resourceId,
    }));
    wanted.push(...wantedOf(added, new Set(kept.map(({ disk }) => disk.id))));
    const { defined, boot, diskSizes, diskResourceIds } = await disksToAttach(
      services,
      machine.resourceId,
      wanted,
      request.caller,
    );
    await inventory.redefine(
      machine.resourceId,
      {
        name: seen.machine.name,
        id: seen.machineId,
        memoryBytes: size === undefined ? (seen.machine.memoryBytes ?? 0) : size.mebibytes * 1024 ** 2,
        processors: size?.processors ?? seen.machine.processors ?? 1,
        network,
        disks: defined,
        ...boot,
      },
      { diskSizes, hidden: { diskResourceIds, ...(size === undefined ? {} : { vmSize: size.name }) } },
      { before: releaseParts, after: ownParts },
      signal,
    );
  });
}

function changesIn(body: MachineBody, hidden: MachineHidden, machine: InventoryMachine): Changes {
  const size = otherSize(body, hidden, machine);
  const system = otherSystem(body.properties?.storageProfile, machine);
  const { added, removed } = otherDisks(body.properties?.storageProfile, machine);
  const shown = sizeOf(hidden, machine);
  return {
    size,
    system,
    added,
    removed,
    said: [
      ...(size === undefined ? [] : [`change the size from ${shown} to ${size}`]),
      ...(system === undefined ? [] : [`boot from ${system}`]),
      ...added.map(({ name, managedDisk }) => `attach ${managedDisk?.id ?? name ?? "a new disk"}`),
      ...removed.map(({ name }) => `detach ${name}`),
    ],
  };
}

function otherSize(body: MachineBody, hidden: MachineHidden, machine: InventoryMachine): string | undefined {
  const asked = body.properties?.hardwareProfile?.vmSize;
  if (asked === undefined || asked.toLowerCase() === sizeOf(hidden, machine).toLowerCase()) return undefined;
  const size = sizeNamed(asked);
  const { processors, memoryBytes } = machine.machine;
  const isSame =
    size !== undefined &&
    sizeNameOf(size.processors, size.mebibytes * 1024 ** 2) === sizeNameOf(processors, memoryBytes);
  return isSame ? undefined : asked;
}

function otherSystem(storage: StorageProfile | undefined, machine: InventoryMachine): string | undefined {
  const asked = storage?.osDisk?.managedDisk?.id;
  const current = disksOf(machine).find(({ lun }) => lun === -1)?.resourceId;
  return asked === undefined || current === undefined || idKey(asked) === idKey(current) ? undefined : asked;
}

function otherDisks(
  storage: StorageProfile | undefined,
  machine: InventoryMachine,
): { added: readonly BodyDisk[]; removed: readonly InventoryDisk[] } {
  if (storage?.dataDisks === undefined || storage.dataDisks === null) return { added: [], removed: [] };
  const current = disksOf(machine).filter(({ lun }) => lun >= 0);
  const wanted = storage.dataDisks.filter(({ toBeDetached }) => toBeDetached !== true);
  const twice = wanted.find(({ lun }, index) => wanted.findIndex((other) => other.lun === lun) < index);
  if (twice !== undefined) {
    throw armErrors.InvalidParameter(
      `'storageProfile.dataDisks': two disks have the LUN ${twice.lun}. Give each a LUN of its own, from 0 to 63.`,
      { target: "dataDisks.lun" },
    );
  }
  const isThat = (disk: BodyDisk, { resourceId, name, lun }: InventoryDisk): boolean =>
    disk.managedDisk?.id === undefined
      ? disk.lun === lun && disk.name?.toLowerCase() === name.toLowerCase()
      : idKey(disk.managedDisk.id) === idKey(resourceId);
  return {
    added: wanted.filter((disk) => !current.some((one) => isThat(disk, one))),
    removed: current.filter((one) => !wanted.some((disk) => isThat(disk, one))),
  };
}

function wantedOf(disks: readonly BodyDisk[], taken: Set<string>): WantedDisk[] {
  return disks.map((disk) => {
    const wanted = toWanted(disk, taken);
    taken.add(wanted.serial);
    return wanted;
  });
}

function toWanted(disk: BodyDisk, taken: ReadonlySet<string>): WantedDisk {
  const resourceId = disk.managedDisk?.id;
  if (
    disk.createOption?.toLowerCase() !== "attach" ||
    resourceId === undefined ||
    tryParseResourceId(resourceId) === undefined
  ) {
    throw computeErrors.OperationNotAllowed(
      `The disk ${disk.name ?? `of lun ${disk.lun}`} must have createOption 'Attach' and the id of a managed disk in managedDisk.id, or createOption 'Empty' and diskSizeGB (seen: createOption '${disk.createOption ?? "nothing"}', id '${resourceId ?? "nothing"}').`,
      { target: "storageProfile.dataDisks" },
    );
  }
  let serial = `lun${disk.lun}`;
  for (let number = 2; taken.has(serial); number += 1) serial = `lun${disk.lun}-${number}`;
  return { serial, resourceId };
}
