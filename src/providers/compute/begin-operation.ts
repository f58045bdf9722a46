// A change of a machine that takes its time: a row that outlives us, and the answer by which it is followed.

import { startOperation } from "../../arm/operations/operation.ts";
import { acceptedReply } from "../../arm/operations/replies.ts";
import type { ArmReply, ArmRequest } from "../../arm/request.ts";
import { parseResourceId } from "../../arm/resource-id.ts";
import type { InventoryMachine } from "../../inventory/inventory.ts";
import { namespace } from "./route-group.ts";
import type { ComputeServices } from "./services.ts";

export async function beginOperation(
  { database, operations }: ComputeServices,
  request: ArmRequest,
  machine: Pick<InventoryMachine, "resourceId" | "location">,
  kind: string,
  input: object = {},
): Promise<ArmReply> {
  const { subscriptionId = "" } = parseResourceId(machine.resourceId);
  const { caller, correlationId } = request;
  const operationId = await database.transaction((trx) =>
    startOperation(trx, database.clock, {
      kind,
      subscriptionId,
      resourceId: machine.resourceId,
      input,
      caller,
      correlationId,
    }),
  );
  operations.wake();
  return acceptedReply(request, { namespace, subscriptionId, location: machine.location }, operationId);
}
