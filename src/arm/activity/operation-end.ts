// A long operation's second entry in the activity log: what came of what was accepted.

import type { Clock } from "../../lib/clock.ts";
import { asHoldfastError, type Operation, type Outcome } from "../operations/operation.ts";
import type { Writer } from "../resources/resource-store.ts";
import { parseResourceId } from "../resource-id.ts";
import { recordActivity } from "./activity.ts";

/** By kind: the action that was asked for, and its method. */
const actions: Readonly<Record<string, { readonly action: string; readonly method: string }>> = {
  "resourceGroup.delete": { action: "Microsoft.Resources/subscriptions/resourceGroups/delete", method: "DELETE" },
  "virtualMachine.start": { action: "Microsoft.Compute/virtualMachines/start/action", method: "POST" },
  "virtualMachine.powerOff": { action: "Microsoft.Compute/virtualMachines/powerOff/action", method: "POST" },
  "virtualMachine.restart": { action: "Microsoft.Compute/virtualMachines/restart/action", method: "POST" },
  "virtualMachine.deallocate": { action: "Microsoft.Compute/virtualMachines/deallocate/action", method: "POST" },
  "virtualMachine.runCommand": { action: "Microsoft.Compute/virtualMachines/runCommand/action", method: "POST" },
  "virtualMachine.delete": { action: "Microsoft.Compute/virtualMachines/delete", method: "DELETE" },
};

export async function recordOperationEnd(
  trx: Writer,
  clock: Clock,
  operation: Operation,
  outcome: Outcome,
): Promise<void> {
  const { type } = parseResourceId(operation.resourceId);
  const { action, method } = actions[operation.kind] ?? { action: `${type}/write`, method: "PUT" };
  const failure = outcome.status === "Succeeded" ? undefined : asHoldfastError(outcome.error);
  await recordActivity(trx, clock, {
    action,
    method,
    resourceId: operation.resourceId,
    resourceType: type,
    namespace: type.slice(0, type.indexOf("/")),
    caller: operation.caller,
    correlationId: operation.correlationId,
    requestId: operation.id,
    clientRequestId: undefined,
    clientAddress: undefined,
    uri: "",
    httpStatus: failure?.status ?? 200,
    status: outcome.status,
    errorCode: failure?.code,
    errorMessage: failure?.message,
    startedAt: operation.startedAt,
  });
}
