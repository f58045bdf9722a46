// Moving a vault's data to another vault in another region, as Azure does it between its own stamps. Here
// a store is copied as the files that it is and attached elsewhere.

import type { Provider } from "../../../arm/provider.ts";
import type { ArmReply, ArmRequest } from "../../../arm/request.ts";
import { vaultErrors } from "../../../backup/vaults/errors.ts";
import { operationRoutes } from "../jobs/operation-routes.ts";
import type { RecoveryServices } from "../services.ts";
import { namespace, vaultOf, vaultPath } from "./vault-paths.ts";

const path = `${vaultPath}/backupstorageconfig/vaultstorageconfig`;

export function dataMovePart(services: RecoveryServices): Provider {
  const refuse = async (request: ArmRequest): Promise<ArmReply> => {
    const vault = await vaultOf(services.database.kysely, request);
    throw vaultErrors.BMSUserErrorOperationNotSupported(
      `The data of the vault '${vault.name}' is not moved by the service.`,
      {
        target: request.resourceId,
        remedy: "Copy the vault's store and attach the copy to the other vault: ./holdfast vault attach.",
      },
    );
  };
  return {
    namespace,
    resourceTypes: [],
    routes: [
      { method: "POST", path: `${path}/prepareDataMove`, handle: refuse },
      { method: "POST", path: `${path}/triggerDataMove`, handle: refuse },
      ...operationRoutes(services, path, { status: "operationStatus", result: "operationResults" }),
    ],
  };
}
