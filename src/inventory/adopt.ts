// Machines that Holdfast defines on a host itself, and how they are given up again.

import { idKey } from "../arm/resource-id.ts";
import { deleteResource, findResource, type Reader, type Writer } from "../arm/resources/resource-store.ts";
import type { Database } from "../db/database.ts";
import { scopeOf } from "../db/transaction.ts";
import { appendEvent } from "../events/append.ts";
import type { Host, Machine, MachineDefinition } from "../hosts/host.ts";
import { isErrorCode } from "../lib/errors.ts";
import { inventoryErrors } from "./errors.ts";
import { inventoryChannel, ownDeed, readHosts, type RegisteredHost } from "./host-registry.ts";
import { machineResourceId, readMachines, type InventoryMachine } from "./machine.ts";
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
  /** What the resource remembers and never shows. */
  readonly hidden?: object;
  /** What its system is until its agent says so; Linux when absent. */
  readonly osType?: "Linux" | "Windows";
  /** In bytes, by the definition's ids of disks: what is shown until the machine runs and says so itself. */
  readonly diskSizes?: Readonly<Record<string, number>>;
  /** Ids of disks that are resources, by the definition's ids of disks. */
  readonly diskResourceIds?: Readonly<Record<string, string>>;
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
    await registerMachine(trx, host, describeDefinition(definition, place.diskSizes ?? {}), {
      ...place,
      resourceId,
      hidden: {
        ...place.hidden,
        isAdopted: true,
        diskResourceIds: place.diskResourceIds ?? {},
        ...(place.osType === undefined ? {} : { osType: place.osType }),
      },
    });
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

export interface Redefinition {
  /** In bytes, by the definition's ids of disks. */
  readonly diskSizes: Readonly<Record<string, number>>;
  /** Members of what the resource remembers, over those that it has. */
  readonly hidden: object;
}

/** Work in the transaction that writes the new shape down. */
export interface AroundRedefinition {
  readonly before: (trx: Writer, vmResourceId: string) => Promise<void>;
  readonly after: (trx: Writer, vmResourceId: string) => Promise<void>;
}

/** Defines a machine that was defined here, and does not run, anew under its identity. */
export async function redefineMachine(
  database: Database,
  machine: InventoryMachine,
  driver: Host,
  definition: MachineDefinition,
  { diskSizes, hidden }: Redefinition,
  around: AroundRedefinition,
  signal?: AbortSignal,
): Promise<void> {
  await assertForgettable(database.kysely, machine);
  await driver.lifecycle?.undefine(machine.machineId);
  await driver.lifecycle?.define(definition, signal);
  await database.transaction(async (trx) => {
    await around.before(trx, machine.resourceId);
    const key = idKey(machine.resourceId);
    const resource = await findResource<object, object>(trx, machine.resourceId);
    await trx
      .updateTable("resources")
      .set({ hidden: JSON.stringify({ ...resource?.hidden, ...hidden }) })
      .where("key", "=", key)
      .execute();
    await trx
      .updateTable("machines")
      .set({ present: 1, machine: JSON.stringify(describeDefinition(definition, diskSizes)) })
      .where("key", "=", key)
      .execute();
    await around.after(trx, machine.resourceId);
    appendEvent(trx, { ...ownDeed, type: "machine.changed", subject: machine.resourceId, data: { redefined: true } });
    scopeOf(trx).tell(inventoryChannel);
  });
}

/** Throws unless the machine was defined here, or is on its host no more. */
export async function assertForgettable(reader: Reader, machine: InventoryMachine): Promise<void> {
  if (!machine.present) return;
  const resource = await findResource<object, { isAdopted?: boolean }>(reader, machine.resourceId);
  if (resource?.hidden.isAdopted === true) return;
  throw inventoryErrors.MachineNotOurs(
    `The machine ${machine.name} was not made by Holdfast, so it is not deleted from here.`,
  );
}

/** Ends and undefines a machine that was defined here; one that has vanished is only forgotten. */
export async function forgetMachine(
  database: Database,
  machine: InventoryMachine,
  openHost: () => Promise<Host>,
  also: ((trx: Writer, vmResourceId: string) => Promise<void>) | undefined,
  signal?: AbortSignal,
): Promise<void> {
  await assertForgettable(database.kysely, machine);
  if (machine.present) await endMachine(await openHost(), machine.machineId, signal);
  await database.transaction(async (trx) => {
    await also?.(trx, machine.resourceId);
    await dropMachine(trx, machine.resourceId);
  });
}

async function endMachine({ lifecycle }: Host, machineId: string, signal?: AbortSignal): Promise<void> {
  try {
    await lifecycle?.undefine(machineId);
  } catch (error) {
    if (!isErrorCode(error, "MachineRunning")) throw error;
    await lifecycle?.stop(machineId, 0, signal);
    await lifecycle?.undefine(machineId);
  }
}

/**
 * The resource is being deleted with its group: the machine is forgotten with it, and one that was
 * defined here is ended once that is durable. Should we die before, it stays on its host and is found
 * there again, if the host is still known.
 */
export async function forgetWithGroup(
  trx: Writer,
  vmResourceId: string,
  openHost: (host: RegisteredHost) => Promise<Host>,
  report: (error: unknown) => void,
): Promise<void> {
  const [machine] = await readMachines(trx, { keys: [idKey(vmResourceId)] });
  if (machine === undefined) return;
  const resource = await findResource<object, { isAdopted?: boolean }>(trx, vmResourceId);
  const [host] = await readHosts(trx, { hostId: machine.hostId });
  if (resource?.hidden.isAdopted === true && machine.present && host !== undefined) {
    scopeOf(trx).afterCommit(() => {
      openHost(host)
        .then((driver) => endMachine(driver, machine.machineId))
        .catch(report);
    });
  }
  await forgetMachineRow(trx, vmResourceId);
}

/** Deletes what is known of a machine, with its resource. */
async function dropMachine(trx: Writer, vmResourceId: string): Promise<void> {
  await forgetMachineRow(trx, vmResourceId);
  await deleteResource(trx, vmResourceId);
}

async function forgetMachineRow(trx: Writer, vmResourceId: string): Promise<void> {
  const deleted = await trx.deleteFrom("machines").where("key", "=", idKey(vmResourceId)).executeTakeFirst();
  if (deleted.numDeletedRows === 0n) return;
  appendEvent(trx, { ...ownDeed, type: "machine.forgotten", subject: vmResourceId, data: {} });
  scopeOf(trx).tell(inventoryChannel);
}

function describeDefinition(
  { id, name, memoryBytes, processors, disks }: MachineDefinition,
  sizes: Readonly<Record<string, number>>,
): Machine {
  return {
    id,
    name,
    powerState: "stopped",
    hasAgent: false,
    disks: disks.map((disk, index) => ({
      id: disk.id,
      name: disk.id,
      sizeBytes: sizes[disk.id] ?? 0,
      format: disk.source.kind === "image" ? disk.source.format : "qcow2",
      path: disk.source.kind === "image" ? disk.source.path : disk.source.overlayPath,
      isReadOnly: false,
      lun: index - 1,
    })),
    memoryBytes,
    processors,
    problem: undefined,
  };
}
