// What could be protected: the machines of the vault's subscription and location that no vault protects,
// as far as the caller may see them.

import { allowOnly, filterPredicate, parseFilter } from "../../../arm/filter.ts";
import { fillPage } from "../../../arm/paging.ts";
import type { Provider } from "../../../arm/provider.ts";
import { param, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { protectedMachines } from "../../../backup/protection/protected-machines.ts";
import { itemNames } from "../../../backup/protection/names.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import type { InventoryMachine } from "../../../inventory/inventory.ts";
import { isErrorCode } from "../../../lib/errors.ts";
import { withDeadline } from "../../../lib/time.ts";
import { fabricPath } from "./item-paths.ts";
import { endedReply } from "../jobs/operations.ts";
import type { RecoveryServices } from "../services.ts";
import { apiVersions, namespace, vaultOf, vaultPath } from "../vaults/vault-paths.ts";

/** Hosts that take longer are heard of when they have answered. */
const lookMilliseconds = 4000;

export function discoveryPart(services: RecoveryServices): Provider {
  return {
    namespace,
    resourceTypes: [{ name: "vaults/backupProtectableItems", apiVersions }],
    routes: [
      { method: "GET", path: `${vaultPath}/backupProtectableItems`, handle: (request) => list(services, request) },
      { method: "POST", path: `${fabricPath}/refreshContainers`, handle: (request) => refresh(services, request) },
    ],
  };
}

async function list(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { database, inventory, paging } = services;
  const vault = await vaultOf(database.kysely, request);
  const filter = parseFilter(request.query.get("$filter"));
  allowOnly(filter, ["backupManagementType", "workloadType", "friendlyName"]);
  const isWanted = filterPredicate<InventoryMachine>(filter, ({ name }, field) =>
    field.toLowerCase() === "friendlyname" ? name : field.toLowerCase() === "workloadtype" ? "VM" : "AzureIaasVM",
  );
  const taken = await protectedMachines(database.kysely);
  const grants = await services.access.grantsOf(request.caller.principalId);
  const page = paging.read(request);
  const keyOf = ({ resourceId }: InventoryMachine): string => resourceId.toLowerCase();
  const rows = await fillPage(
    page,
    (after, limit) =>
      inventory.listMachines({
        subscriptionId: param(request, "subscriptionId"),
        present: true,
        limit,
        ...(after === undefined ? {} : { after }),
      }),
    keyOf,
    (machine) =>
      machine.location.toLowerCase() === vault.location.toLowerCase() &&
      !taken.has(keyOf(machine)) &&
      grants.allows("Microsoft.Compute/virtualMachines/read", machine.resourceId) &&
      isWanted(machine),
  );
  return paging.reply(request, page, rows, keyOf, (machine) => render(vault, machine));
}

/** Looks at the hosts; one that does not answer is the inventory's to report. */
async function refresh(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { database, inventory } = services;
  const vault = await vaultOf(database.kysely, request);
  const late = new Error("the look at the hosts takes longer");
  try {
    await withDeadline(
      lookMilliseconds,
      (signal) => inventory.refresh(undefined, signal),
      () => late,
      request.signal,
    );
  } catch (error) {
    if (error !== late && !isErrorCode(error, "HostUnreachable")) throw error;
  }
  const subject = `${vault.id}/backupFabrics/Azure`;
  return database.transaction((trx) => endedReply(services, trx, request, subject, undefined));
}

function render(vault: Vault, { resourceId, name }: InventoryMachine): object {
  const names = itemNames(resourceId);
  return {
    id: `${vault.id}/backupFabrics/Azure/protectionContainers/${names.container}/protectableItems/vm;${names.protectable}`,
    name: names.protectable,
    type: `${namespace}/vaults/backupFabrics/protectionContainers/protectableItems`,
    properties: {
      protectableItemType: "Microsoft.Compute/virtualMachines",
      backupManagementType: "AzureIaasVM",
      workloadType: "VM",
      friendlyName: name,
      protectionState: "NotProtected",
      virtualMachineId: resourceId,
      virtualMachineVersion: "Compute",
      resourceGroup: names.group,
    },
  };
}
