// The paths of items and of what hangs on them, and how a request finds its item.

import { param, type ArmRequest, type Draft } from "../../../arm/request.ts";
import { protectionErrors } from "../../../backup/protection/errors.ts";
import { findItem, getItem, type ProtectedItem } from "../../../backup/protection/item.ts";
import { machineOfName } from "../../../backup/protection/names.ts";
import type { Reader, Vault } from "../../../backup/vaults/vaults.ts";
import { vaultPath } from "../vaults/vault-paths.ts";

export const fabricPath = `${vaultPath}/backupFabrics/{fabric}`;
export const containerPath = `${fabricPath}/protectionContainers/{container}`;
export const itemPath = `${containerPath}/protectedItems/{item}`;
export const pointPath = `${itemPath}/recoveryPoints/{point}`;

export const itemType = "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems";

/** Throws unless the container's and the item's name speak of one machine, and of which. */
export function machineInPath(request: Draft): { readonly group: string; readonly machine: string } {
  const fabric = param(request, "fabric");
  if (fabric.toLowerCase() !== "azure") {
    throw protectionErrors.BMSUserErrorFabricNotFound(`The vault has no fabric '${fabric.slice(0, 200)}'.`, {
      target: "fabricName",
    });
  }
  const container = machineOfName(param(request, "container"));
  const item = machineOfName(param(request, "item"));
  if (
    container !== undefined &&
    item !== undefined &&
    container.group.toLowerCase() === item.group.toLowerCase() &&
    container.machine.toLowerCase() === item.machine.toLowerCase()
  ) {
    return item;
  }
  throw protectionErrors.BMSUserErrorInvalidItem(
    `The container '${param(request, "container").slice(0, 200)}' and the item '${param(request, "item").slice(0, 200)}' do not name one machine.`,
    { target: request.resourceId },
  );
}

export function findItemOf(reader: Reader, vault: Vault, request: ArmRequest): Promise<ProtectedItem | undefined> {
  return findItem(reader, itemKeyIn(vault, request));
}

export function itemOf(reader: Reader, vault: Vault, request: ArmRequest): Promise<ProtectedItem> {
  return getItem(reader, itemKeyIn(vault, request));
}

/** Names are accepted with and without their first part, and compared without regard to case. */
function itemKeyIn(vault: Vault, request: ArmRequest): string {
  const { group, machine } = machineInPath(request);
  const name = `iaasvmcontainerv2;${group};${machine}`.toLowerCase();
  return `${vault.key}/backupfabrics/azure/protectioncontainers/iaasvmcontainer;${name}/protecteditems/vm;${name}`;
}
