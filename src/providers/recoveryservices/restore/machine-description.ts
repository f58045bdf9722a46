// A machine as the wire shows it, for what is kept of it in each recovery point.

import { findResource } from "../../../arm/resources/resource-store.ts";
import type { Database } from "../../../db/database.ts";
import { listExtensions } from "../../../inventory/extensions.ts";
import type { InventoryMachine } from "../../../inventory/inventory.ts";
import { renderMachine } from "../../compute/virtual-machines/shape.ts";

export async function describeMachine(
  { kysely }: Database,
  machine: InventoryMachine,
): Promise<Readonly<Record<string, unknown>>> {
  const resource = await findResource(kysely, machine.resourceId);
  if (resource === undefined) return {};
  return renderMachine(resource, machine, await listExtensions(kysely, machine.resourceId));
}
