// Which parts of a vault could be reached by private links. Holdfast listens where its administrator
// says; private endpoints are a matter of Azure's networks, so no connection can be made.

import type { Provider } from "../../../arm/provider.ts";
import { noContent, ok, param, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { resourceNotFound } from "../../../arm/resources/resource-store.ts";
import { vaultErrors } from "../../../backup/vaults/errors.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import type { RecoveryServices } from "../services.ts";
import { apiVersions, namespace, vaultOf, vaultPath } from "./vault-paths.ts";

const links = `${vaultPath}/privateLinkResources`;
const connections = `${vaultPath}/privateEndpointConnections`;
const connection = `${connections}/{connection}`;

/** By the names of the links. */
const groupIds = {
  backupResource: "AzureBackup",
  backupResource_secondary: "AzureBackup_secondary",
  siteRecoveryResource: "AzureSiteRecovery",
};

export function privateLinksPart({ database }: RecoveryServices): Provider {
  const inVault =
    (answer: (vault: Vault, request: ArmRequest) => ArmReply) =>
    async (request: ArmRequest): Promise<ArmReply> =>
      answer(await vaultOf(database.kysely, request), request);
  const missing = inVault((_, request) => {
    throw resourceNotFound(request.resourceId);
  });
  return {
    namespace,
    resourceTypes: [
      { name: "vaults/privateLinkResources", apiVersions },
      { name: "vaults/privateEndpointConnections", apiVersions },
    ],
    routes: [
      { method: "GET", path: links, handle: inVault((vault) => ok({ value: linksOf(vault) })) },
      { method: "GET", path: `${links}/{link}`, handle: inVault(oneLink) },
      { method: "GET", path: connections, handle: inVault(() => ok({ value: [] })) },
      { method: "GET", path: connection, handle: missing },
      { method: "GET", path: `${connection}/operationsStatus/{operation}`, handle: missing },
      { method: "PUT", path: connection, handle: inVault(refuseConnection) },
      { method: "DELETE", path: connection, handle: inVault(() => noContent()) },
    ],
  };
}

function oneLink(vault: Vault, request: ArmRequest): ArmReply {
  const wanted = param(request, "link").toLowerCase();
  const found = linksOf(vault).find(({ name }) => name.toLowerCase() === wanted);
  if (found === undefined) throw resourceNotFound(request.resourceId);
  return ok(found);
}

function refuseConnection(_: Vault, request: ArmRequest): ArmReply {
  throw vaultErrors.BMSUserErrorOperationNotSupported(
    `The private endpoint connection '${param(request, "connection").slice(0, 200)}' cannot be made: there are no private endpoints here.`,
    { target: request.resourceId, remedy: "Say with --listen on which addresses the service is to be reached." },
  );
}

function linksOf(vault: Vault): { id: string; name: string; type: string; properties: object }[] {
  return Object.entries(groupIds).map(([name, groupId]) => ({
    id: `${vault.id}/privateLinkResources/${name}`,
    name,
    type: `${namespace}/vaults/privateLinkResources`,
    properties: { groupId, requiredMembers: [], requiredZoneNames: [] },
  }));
}
