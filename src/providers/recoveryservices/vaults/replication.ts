// Replicating machines to another site (Azure Site Recovery) is no part of this service: its lists are empty,
// and what would set it up is refused before anything of a template is deployed.

import type { Provider } from "../../../arm/provider.ts";
import { ok, type ArmReply, type ArmRequest, type Draft } from "../../../arm/request.ts";
import { resourceNotFound } from "../../../arm/resources/resource-store.ts";
import { vaultErrors } from "../../../backup/vaults/errors.ts";
import type { RecoveryServices } from "../services.ts";
import { apiVersions, namespace, vaultOf, vaultPath } from "./vault-paths.ts";

const kinds = [
  "replicationAlertSettings",
  "replicationEvents",
  "replicationFabrics",
  "replicationJobs",
  "replicationPolicies",
  "replicationProtectedItems",
  "replicationRecoveryPlans",
];

export function replicationPart({ database }: RecoveryServices): Provider {
  const none = async (request: ArmRequest): Promise<ArmReply> => {
    await vaultOf(database.kysely, request);
    return ok({ value: [] });
  };
  const missing = async (request: ArmRequest): Promise<ArmReply> => {
    await vaultOf(database.kysely, request);
    throw resourceNotFound(request.resourceId);
  };
  return {
    namespace,
    resourceTypes: kinds.map((kind) => ({ name: `vaults/${kind}`, apiVersions })),
    routes: kinds.flatMap((kind) => [
      { method: "GET", path: `${vaultPath}/${kind}`, handle: none },
      { method: "GET", path: `${vaultPath}/${kind}/{name}`, handle: missing },
      { method: "PUT", path: `${vaultPath}/${kind}/{name}`, handle: async (request) => refuse(request), check: refuse },
    ]),
  };
}

function refuse(request: Draft): never {
  throw vaultErrors.BMSUserErrorOperationNotSupported(
    "Machines are not replicated to other sites here, so there is nothing to set for it.",
    {
      target: request.resourceId,
      remedy: "Leave what is named 'replication…' out; backups are copied by the place of a vault.",
    },
  );
}
