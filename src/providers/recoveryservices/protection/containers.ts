// Containers on the wire: a machine is the container of itself.

import { allowOnly, filterPredicate, parseFilter } from "../../../arm/filter.ts";
import { fillPage } from "../../../arm/paging.ts";
import type { Provider } from "../../../arm/provider.ts";
import { ok, param, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { protectionErrors } from "../../../backup/protection/errors.ts";
import { findItem, listItems, type ProtectedItem } from "../../../backup/protection/item.ts";
import { itemNames, machineOfName } from "../../../backup/protection/names.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import { containerPath } from "./item-paths.ts";
import type { RecoveryServices } from "../services.ts";
import { apiVersions, namespace, vaultOf, vaultPath } from "../vaults/vault-paths.ts";

export function containersPart(services: RecoveryServices): Provider {
  return {
    namespace,
    resourceTypes: [
      { name: "vaults/backupProtectionContainers", apiVersions },
      { name: "vaults/backupFabrics/protectionContainers", apiVersions },
    ],
    routes: [
      { method: "GET", path: `${vaultPath}/backupProtectionContainers`, handle: (request) => list(services, request) },
      { method: "GET", path: containerPath, handle: (request) => show(services, request) },
    ],
  };
}

async function list(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { database, paging } = services;
  const vault = await vaultOf(database.kysely, request);
  const filter = parseFilter(request.query.get("$filter"));
  allowOnly(filter, ["backupManagementType", "friendlyName", "status", "fabricName"]);
  const keep = filterPredicate<ProtectedItem>(filter, (item, field) => {
    switch (field.toLowerCase()) {
      case "friendlyname":
        return item.friendlyName;
      case "status":
        return "Registered";
      case "fabricname":
        return "Azure";
      default:
        return "AzureIaasVM";
    }
  });
  const page = paging.read(request);
  const rows = await fillPage(
    page,
    (after, limit) => listItems(database.kysely, vault, {}, { limit, ...(after === undefined ? {} : { after }) }),
    ({ key }) => key,
    keep,
  );
  return paging.reply(
    request,
    page,
    rows,
    ({ key }) => key,
    (item) => render(vault, item),
  );
}

async function show({ database }: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const vault = await vaultOf(database.kysely, request);
  const name = param(request, "container");
  const named = machineOfName(name);
  const tail = `iaasvmcontainerv2;${named?.group ?? ""};${named?.machine ?? ""}`;
  const item =
    named === undefined
      ? undefined
      : await findItem(
          database.kysely,
          `${vault.key}/backupfabrics/azure/protectioncontainers/iaasvmcontainer;${tail}/protecteditems/vm;${tail}`,
        );
  if (item !== undefined) return ok(render(vault, item));
  throw protectionErrors.BMSUserErrorContainerObjectNotFound(`The vault has no container '${name.slice(0, 200)}'.`, {
    target: request.resourceId,
  });
}

function render(vault: Vault, item: ProtectedItem): object {
  const names = itemNames(item.machineId);
  return {
    id: `${vault.id}/backupFabrics/Azure/protectionContainers/${names.container}`,
    name: names.container,
    type: `${namespace}/vaults/backupFabrics/protectionContainers`,
    properties: {
      containerType: "Microsoft.Compute/virtualMachines",
      backupManagementType: "AzureIaasVM",
      friendlyName: item.friendlyName,
      registrationStatus: "Registered",
      healthStatus: "Healthy",
      protectableObjectType: "Microsoft.Compute/virtualMachines",
      virtualMachineId: item.machineId,
      virtualMachineVersion: "Compute",
      resourceGroup: names.group,
    },
  };
}
