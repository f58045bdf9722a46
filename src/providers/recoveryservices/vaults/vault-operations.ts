// The long operations of a vault itself, under the paths by which its clients follow them.

import type { Provider } from "../../../arm/provider.ts";
import { operationRoutes } from "../jobs/operation-routes.ts";
import type { RecoveryServices } from "../services.ts";
import { apiVersions, namespace, vaultPath } from "./vault-paths.ts";

export function vaultOperationsPart(services: RecoveryServices): Provider {
  return {
    namespace,
    resourceTypes: [{ name: "vaults/operationStatus", apiVersions }],
    routes: operationRoutes(services, vaultPath, { status: "operationStatus", result: "operationResults" }),
  };
}
