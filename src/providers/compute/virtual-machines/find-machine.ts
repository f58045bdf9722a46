import { getResource, resourceNotFound } from "../../../arm/resources/resource-store.ts";
import type { Resource } from "../../../arm/resources/resource.ts";
import type { InventoryMachine } from "../../../inventory/inventory.ts";
import { machineType } from "../../../inventory/machine.ts";
import type { ComputeServices } from "../services.ts";

export const machinesInGroup = `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/${machineType}`;
export const machinePath = `${machinesInGroup}/{vmName}`;

/** The resource and the machine behind it. */
export async function findMachine(
  { database, inventory }: ComputeServices,
  id: string,
): Promise<{ resource: Resource; machine: InventoryMachine }> {
  const resource = await getResource(database.kysely, id);
  const machine = await inventory.findMachine(id);
  if (machine === undefined) throw resourceNotFound(id);
  return { resource, machine };
}
