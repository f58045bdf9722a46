// The network interface by which a discovered machine shows the addresses that its agent told.

import { groupOf, type InventoryMachine } from "./machine.ts";

export const guestInterfacePattern = /^(.+)-nic$/;

/** Undefined while the agent has told of none. */
export function guestInterfaceId(machine: InventoryMachine): string | undefined {
  if (machine.guest === undefined || machine.guest.interfaces.length === 0) return undefined;
  return `${groupOf(machine.resourceId)}/providers/Microsoft.Network/networkInterfaces/${machine.name}-nic`;
}
