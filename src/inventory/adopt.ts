// Machines that Holdfast defines on a host itself, and how they are given up again.

import { idKey } from "../arm/resource-id.ts";
import { deleteResource, type Writer } from "../arm/resources/resource-store.ts";
import type { Database } from "../db/database.ts";
import { scopeOf } from "../db/transaction.ts";
import { appendEvent } from "../events/append.ts";
import type { Host, Machine, MachineDefinition } from "../hosts/host.ts";
import { inventoryErrors } from "./errors.ts";
import { inventoryChannel, ownDeed, type RegisteredHost } from "./host-registry.ts";
import { machineResourceId, type InventoryMachine } from "./machine.ts";
import { namesTaken, registerMachine } from "./record-look.ts";

export interface Adoption {
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  /** The name of the resource; the machine's own is in its definition. */
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly location?: string;
  /** What the resource keeps beside what the host tells. */
  readonly properties?: object;
}

/** Returns the id of the resource. */
export async function adoptMachine(
  database: Database,
  host: RegisteredHost,
  driver: Host,
  definition: MachineDefinition,
  place: Adoption,
  signal?: AbortSignal,
): Promise<string> {
  const { lifecycle } = driver;
  if (lifecycle === undefined) {
    throw inventoryErrors.HostRunsNoMachines(`The host ${host.name} (${host.settings.kind}) cannot run machines.`);
  }
  const groupId = `/subscriptions/${place.subscriptionId}/resourceGroups/${place.resourceGroup}`;
  const resourceId = machineResourceId(groupId, place.name);
  // Known first, defined then: discovery must not find it under another name.
  await database.transaction(async (trx) => {
    if ((await namesTaken(trx, groupId)).has(place.name.toLowerCase()))
      throw inventoryErrors.MachineNameTaken(`There is a virtual machine ${place.name} in ${place.resourceGroup}.`);
    await registerMachine(trx, host, describeDefinition(definition), { ...place, resourceId });
    scopeOf(trx).tell(inventoryChannel);
  });
  try {
    await lifecycle.define(definition, signal);
  } catch (error) {
    await database.transaction((trx) => dropMachine(trx, resourceId));
    throw error;
  }
  return resourceId;
}

/** Undefines it where Holdfast defined it; a machine that has vanished is only forgotten. */
export async function forgetMachine(
  database: Database,
  machine: InventoryMachine,
  openHost: () => Promise<Host>,
): Promise<void> {
  if (machine.present) {
    const { lifecycle } = await openHost();
    if (lifecycle === undefined) {
      throw inventoryErrors.HostRunsNoMachines(
        `${machine.name} lies on a host whose machines Holdfast does not run, so it cannot be deleted from here.`,
        { remedy: "Remove it on the host, or remove the host with ./holdfast host remove." },
      );
    }
    await lifecycle.undefine(machine.machineId);
  }
  await database.transaction((trx) => dropMachine(trx, machine.resourceId));
}

/** Deletes what is known of a machine, with its resource. */
export async function dropMachine(trx: Writer, vmResourceId: string): Promise<void> {
  await forgetMachineRow(trx, vmResourceId);
  await deleteResource(trx, vmResourceId);
}

/** What goes with the resource of a machine when that is deleted. */
export async function forgetMachineRow(trx: Writer, vmResourceId: string): Promise<void> {
  const deleted = await trx.deleteFrom("machines").where("key", "=", idKey(vmResourceId)).executeTakeFirst();
  if (deleted.numDeletedRows === 0n) return;
  appendEvent(trx, { ...ownDeed, type: "machine.forgotten", subject: vmResourceId, data: {} });
  scopeOf(trx).tell(inventoryChannel);
}

function describeDefinition({ id, name, memoryBytes, processors }: MachineDefinition): Machine {
  return {
    id,
    name,
    powerState: "stopped",
    hasAgent: false,
    disks: [],
    memoryBytes,
    processors,
    problem: undefined,
  };
}
