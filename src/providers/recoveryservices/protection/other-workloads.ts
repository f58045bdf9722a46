// Workloads inside machines, file shares and backup servers are no part of this service: lists of them are
// empty, and registering one is refused.

import type { Provider } from "../../../arm/provider.ts";
import { noContent, ok, param, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { protectionErrors } from "../../../backup/protection/errors.ts";
import { machineOfName } from "../../../backup/protection/names.ts";
import { vaultErrors } from "../../../backup/vaults/errors.ts";
import type { RecoveryServices } from "../services.ts";
import { namespace, vaultOf, vaultPath } from "../vaults/vault-paths.ts";
import { containerPath, fabricPath } from "./item-paths.ts";

export function otherWorkloadsPart(services: RecoveryServices): Provider {
  const { kysely } = services.database;
  const none = async (request: ArmRequest): Promise<ArmReply> => {
    await vaultOf(kysely, request);
    return ok({ value: [] });
  };
  const missing =
    (name: string) =>
    async (request: ArmRequest): Promise<ArmReply> => {
      await vaultOf(kysely, request);
      throw protectionErrors.BMSUserErrorContainerObjectNotFound(
        `The vault has no '${param(request, name).slice(0, 200)}'.`,
        { target: request.resourceId },
      );
    };
  const refuse = async (request: ArmRequest): Promise<ArmReply> => {
    await vaultOf(kysely, request);
    throw vaultErrors.BMSUserErrorOperationNotSupported(
      `The container '${param(request, "container").slice(0, 200)}' cannot be registered or looked into: the service protects virtual machines.`,
      { target: request.resourceId, remedy: "Protect the machine: az backup protection enable-for-vm." },
    );
  };
  const unregister = async (request: ArmRequest): Promise<ArmReply> => {
    await vaultOf(kysely, request);
    // What is not registered needs no unregistering; a machine's container goes with its item.
    return machineOfName(param(request, "container")) === undefined ? noContent() : refuse(request);
  };
  return {
    namespace,
    resourceTypes: [],
    routes: [
      { method: "GET", path: `${fabricPath}/protectableContainers`, handle: none },
      { method: "GET", path: `${vaultPath}/backupDeletedProtectionContainers`, handle: none },
      { method: "GET", path: `${vaultPath}/backupEngines`, handle: none },
      { method: "GET", path: `${vaultPath}/backupEngines/{engine}`, handle: missing("engine") },
      { method: "GET", path: `${containerPath}/items`, handle: none },
      { method: "PUT", path: containerPath, handle: refuse },
      { method: "DELETE", path: containerPath, handle: unregister },
      { method: "POST", path: `${containerPath}/inquire`, handle: refuse },
    ],
  };
}
