// Vaults that were deleted and could be had back. A vault is deleted only when it keeps nothing (what it
// kept is soft-deleted item by item before), so none is held back and the list is empty.

import type { Provider } from "../../../arm/provider.ts";
import { ok, param, type ArmRequest } from "../../../arm/request.ts";
import { vaultErrors } from "../../../backup/vaults/errors.ts";
import { apiVersions, locationPath, namespace } from "./vault-paths.ts";

const path = `${locationPath}/deletedVaults`;
const one = `${path}/{deletedVault}`;

export function deletedVaultsPart(): Provider {
  const missing = (request: ArmRequest): never => {
    throw vaultErrors.BMSUserErrorDeletedVaultNotFound(
      `There is no deleted vault '${param(request, "deletedVault").slice(0, 200)}' in ${param(request, "location")}.`,
      { target: request.resourceId },
    );
  };
  return {
    namespace,
    resourceTypes: [{ name: "locations/deletedVaults", apiVersions, isGlobal: true }],
    routes: [
      { method: "GET", path, handle: async () => ok({ value: [] }) },
      { method: "GET", path: one, handle: async (request) => missing(request) },
      { method: "POST", path: `${one}/undelete`, handle: async (request) => missing(request) },
      { method: "GET", path: `${one}/operations/{operation}`, handle: async (request) => missing(request) },
    ],
  };
}
