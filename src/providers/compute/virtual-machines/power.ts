// Start, stop, restart. Each is a long operation that may be carried out twice, so each says first
// whether there is anything left to do.

import type { ArmRequest } from "../../../arm/request.ts";
import type { Route } from "../../../arm/routes.ts";
import type { OperationWork } from "../../../arm/operations/runner.ts";
import { idKey } from "../../../arm/resource-id.ts";
import { findResource } from "../../../arm/resources/resource-store.ts";
import type { Lifecycle, PowerState } from "../../../hosts/host.ts";
import type { Inventory } from "../../../inventory/inventory.ts";
import { isErrorCode } from "../../../lib/errors.ts";
import { beginOperation } from "../begin-operation.ts";
import { computeErrors } from "../errors.ts";
import type { ComputeServices } from "../services.ts";
import type { MachineHidden } from "./shape.ts";
import { findMachine, machinePath } from "./find-machine.ts";

/** How long a guest may take to shut itself down. */
const graceMilliseconds = 60_000;

interface Deed {
  /** Nothing is done when the machine is like this already. */
  readonly unless: PowerState | undefined;
  /** What the machine must be like. */
  readonly needs?: PowerState;
  /** What it is then, when it does not run. */
  readonly ends: "stopped" | "deallocated" | undefined;
  readonly carryOut: (
    lifecycle: Lifecycle,
    machineId: string,
    input: { readonly skipShutdown?: boolean },
    signal: AbortSignal,
  ) => Promise<void>;
}

const stop: Deed["carryOut"] = (lifecycle, machineId, { skipShutdown }, signal) =>
  lifecycle.stop(machineId, skipShutdown === true ? 0 : graceMilliseconds, signal);

const deeds: Readonly<Record<string, Deed>> = {
  start: {
    unless: "running",
    ends: undefined,
    carryOut: (lifecycle, machineId, _input, signal) => lifecycle.start(machineId, signal),
  },
  powerOff: { unless: "stopped", ends: "stopped", carryOut: stop },
  deallocate: { unless: "stopped", ends: "deallocated", carryOut: stop },
  restart: {
    unless: undefined,
    needs: "running",
    ends: undefined,
    carryOut: (lifecycle, machineId, _input, signal) => lifecycle.restart(machineId, signal),
  },
};

export function powerRoutes(services: ComputeServices): Route[] {
  return Object.entries(deeds).map(([name, deed]): Route => {
    const kind = `virtualMachine.${name}`;
    // Waiting for a guest to shut down takes no place from those who work.
    services.operations.register(kind, (work) => carryOut(services, name, deed, work), { waitsForOthers: true });
    return {
      method: "POST",
      path: `${machinePath}/${name}`,
      handle: async (request: ArmRequest) => {
        const { machine } = await findMachine(services, request.resourceId);
        const skipShutdown = request.query.get("skipShutdown")?.toLowerCase() === "true";
        return beginOperation(services, request, machine, kind, { skipShutdown });
      },
    };
  });
}

async function carryOut(
  { database, inventory }: ComputeServices,
  name: string,
  deed: Deed,
  { operation, assertHeld, signal }: OperationWork,
): Promise<void> {
  const { resourceId } = operation;
  const { host, machineId, machine } = await inventory.open(resourceId, signal);
  const { powerState } = (await inventory.refreshMachine(resourceId, signal)).machine;
  if (powerState !== deed.unless) {
    if (host.lifecycle === undefined) {
      throw computeErrors.OperationNotAllowed(
        `The machine ${machine.name} is a set of disk images on a host of the kind '${host.kind}', which runs no machines: it cannot be asked to ${name}.`,
      );
    }
    if (deed.needs !== undefined && powerState !== deed.needs) {
      throw computeErrors.OperationNotAllowed(
        `Cannot ${name} the machine ${machine.name}: it is ${powerState}. Start it with az vm start.`,
      );
    }
    await deed.carryOut(host.lifecycle, machineId, operation.input as { skipShutdown?: boolean }, signal);
    await lookOnceMore(inventory, resourceId, signal);
  }
  await database.transaction(async (trx) => {
    await assertHeld(trx);
    const resource = await findResource<object, MachineHidden>(trx, resourceId);
    if (resource === undefined) return;
    const { ended: _before, ...hidden } = resource.hidden;
    const ended = deed.ends === undefined ? {} : { ended: { state: deed.ends, at: database.clock.now() } };
    await trx
      .updateTable("resources")
      .set({ hidden: JSON.stringify({ ...hidden, ...ended }) })
      .where("key", "=", idKey(resourceId))
      .execute();
  });
}

/** A machine that Holdfast did not define leaves its host when it ends. */
async function lookOnceMore(inventory: Inventory, resourceId: string, signal: AbortSignal): Promise<void> {
  try {
    await inventory.refreshMachine(resourceId, signal);
  } catch (error) {
    if (!isErrorCode(error, "MachineVanished")) throw error;
    await inventory.refresh((await inventory.findMachine(resourceId))?.hostId, signal);
  }
}
