// The archive tier: there is none here, so nothing is recommended for it, moved to it, or costs there.

import type { Provider } from "../../../arm/provider.ts";
import { ok, param, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { getPoint } from "../../../backup/points/point.ts";
import { vaultErrors } from "../../../backup/vaults/errors.ts";
import { itemOf, itemPath, pointPath } from "../protection/item-paths.ts";
import { operationRoutes } from "../jobs/operation-routes.ts";
import type { RecoveryServices } from "../services.ts";
import { namespace, vaultOf, vaultPath } from "../vaults/vault-paths.ts";

const cost = `${vaultPath}/backupTieringCost/default`;

export function tieringPart(services: RecoveryServices): Provider {
  const { kysely } = services.database;
  const refuse = (request: ArmRequest, what: string): never => {
    throw vaultErrors.BMSUserErrorOperationNotSupported(`${what}: there is no archive tier here.`, {
      target: request.resourceId,
      remedy: "Leave recovery points where they are; every one of them can be read at once.",
    });
  };
  const recommend = async (request: ArmRequest): Promise<ArmReply> => {
    await itemOf(kysely, await vaultOf(kysely, request), request);
    return ok({ value: [] });
  };
  const move = async (request: ArmRequest): Promise<ArmReply> => {
    const item = await itemOf(kysely, await vaultOf(kysely, request), request);
    const point = await getPoint(kysely, item.key, param(request, "point"));
    return refuse(request, `The recovery point ${point.id} cannot be moved`);
  };
  const price = async (request: ArmRequest): Promise<ArmReply> => {
    const vault = await vaultOf(kysely, request);
    return refuse(request, `The vault '${vault.name}' has no costs of tiering`);
  };
  return {
    namespace,
    resourceTypes: [],
    routes: [
      { method: "POST", path: `${itemPath}/recoveryPointsRecommendedForMove`, effect: "read", handle: recommend },
      { method: "POST", path: `${pointPath}/move`, handle: move },
      { method: "POST", path: `${cost}/fetchTieringCost`, effect: "read", handle: price },
      ...operationRoutes(services, cost, { status: "operationsStatus", result: "operationResults" }),
    ],
  };
}
