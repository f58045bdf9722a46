// What a machine does right now: power, agent, disks, extensions. Asked of the host with short
// limits; a host that hangs leaves what was last seen, and says so.

import type { JsonObject, Resource } from "../../../arm/resources/resource.ts";
import type { GuestFacts } from "../../../inventory/guest-facts.ts";
import type { MachineExtension } from "../../../inventory/extensions.ts";
import type { Inventory, InventoryMachine } from "../../../inventory/inventory.ts";
import { disksOf } from "../../../inventory/machine-disks.ts";
import { isoTime } from "../../../lib/clock.ts";
import { HoldfastError } from "../../../lib/errors.ts";
import { withDeadline } from "../../../lib/time.ts";
import { computeErrors } from "../errors.ts";
import { renderStatus } from "../extensions/shape.ts";
import type { MachineHidden } from "./shape.ts";

const lookMilliseconds = 3_000;
const agentMilliseconds = 5_000;

export interface Sight {
  readonly machine: InventoryMachine;
  /** Why `machine` is what was last seen and not what is. */
  readonly problem: string | undefined;
  readonly agent: { readonly facts: GuestFacts } | { readonly problem: string };
}

export async function sight(inventory: Inventory, last: InventoryMachine, signal?: AbortSignal): Promise<Sight> {
  try {
    const machine = await withDeadline(
      lookMilliseconds,
      (both) => inventory.refreshMachine(last.resourceId, both),
      () => computeErrors.OperationNotAllowed(`The host did not answer in ${lookMilliseconds / 1000} s.`),
      signal,
    );
    return { machine, problem: machine.machine.problem, agent: await agentOf(inventory, machine, signal) };
  } catch (error) {
    signal?.throwIfAborted();
    const problem = explain(error);
    return { machine: (await inventory.findMachine(last.resourceId)) ?? last, problem, agent: { problem } };
  }
}

async function agentOf(inventory: Inventory, machine: InventoryMachine, signal?: AbortSignal): Promise<Sight["agent"]> {
  const { powerState, hasAgent } = machine.machine;
  if (powerState !== "running") return { problem: "The machine does not run." };
  if (!hasAgent) return { problem: "The machine has no qemu-guest-agent channel." };
  try {
    return { facts: await inventory.askGuest(machine, agentMilliseconds, signal) };
  } catch (error) {
    signal?.throwIfAborted();
    return { problem: explain(error) };
  }
}

function explain(error: unknown): string {
  if (error instanceof HoldfastError) return error.sentence;
  throw error;
}

/** Without asking anybody: from what was last seen. */
export function statusesOf(resource: Resource, machine: InventoryMachine): JsonObject[] {
  return [
    {
      code: `ProvisioningState/${resource.provisioningState.toLowerCase()}`,
      level: "Info",
      displayStatus: `Provisioning ${resource.provisioningState.toLowerCase()}`,
      time: isoTime(resource.changedAt),
    },
    powerStatus((resource.hidden as MachineHidden).ended, machine),
  ];
}

const powerStates = {
  running: { code: "PowerState/running", displayStatus: "VM running" },
  // Azure has no state for a machine whose processors stand still.
  paused: { code: "PowerState/unknown", displayStatus: "VM paused" },
  stopped: { code: "PowerState/stopped", displayStatus: "VM stopped" },
  deallocated: { code: "PowerState/deallocated", displayStatus: "VM deallocated" },
} as const;

/** Who was asked to end may still have been seen by a look that had begun. */
const lateSightMilliseconds = 5_000;

function powerStatus(ended: MachineHidden["ended"], { present, lastSeenAt, machine }: InventoryMachine): JsonObject {
  // A machine whose QEMU is gone shows nothing on its host any more: who ended it here knows why.
  const isEnded = ended !== undefined && lastSeenAt <= ended.at + lateSightMilliseconds;
  if (!present && !isEnded) {
    return {
      code: "PowerState/unknown",
      level: "Warning",
      displayStatus: "VM not on its host",
      message: `The machine was last seen on its host ${isoTime(lastSeenAt)}.`,
    };
  }
  const state = !present || machine.powerState === "stopped" ? (ended?.state ?? "stopped") : machine.powerState;
  return {
    ...powerStates[state],
    level: machine.problem === undefined ? "Info" : "Warning",
    ...(machine.problem === undefined ? {} : { message: machine.problem }),
  };
}

export function renderInstanceView(
  resource: Resource,
  { machine, problem, agent }: Sight,
  extensions: readonly MachineExtension[],
  now: number,
): JsonObject {
  const guest = "facts" in agent ? agent.facts : machine.guest;
  return {
    computerName: guest?.hostName || machine.machine.name.slice(0, 64),
    ...(guest === undefined || guest.osName === "" ? {} : { osName: guest.osName, osVersion: guest.osVersion }),
    hyperVGeneration: "V1",
    vmAgent: {
      vmAgentVersion: guest?.agentVersion ?? "Unknown",
      statuses: [
        "facts" in agent
          ? {
              code: "ProvisioningState/succeeded",
              level: "Info",
              displayStatus: "Ready",
              message: "Guest Agent is running",
              time: isoTime(now),
            }
          : {
              code: "ProvisioningState/Unavailable",
              level: "Warning",
              displayStatus: "Not Ready",
              message: agent.problem,
              time: isoTime(now),
            },
      ],
      extensionHandlers: extensions.map(({ properties, status }) => ({
        type: `${properties.publisher}.${properties.type}`,
        typeHandlerVersion: status.typeHandlerVersion ?? properties.typeHandlerVersion ?? "",
        status: { code: "ProvisioningState/succeeded", level: "Info", displayStatus: "Ready" },
      })),
    },
    disks: disksOf(machine).map(({ name }) => ({
      name,
      statuses: [
        {
          code: "ProvisioningState/succeeded",
          level: "Info",
          displayStatus: "Provisioning succeeded",
          time: isoTime(machine.lastSeenAt),
        },
      ],
    })),
    extensions: extensions.map(renderStatus),
    bootDiagnostics: {},
    statuses: [
      ...statusesOf(resource, machine),
      ...(problem === undefined
        ? []
        : [{ code: "HostState/unreachable", level: "Warning", displayStatus: "Last seen", message: problem }]),
    ],
  };
}
