// Microsoft.DataProtection/resourceGuards: which critical operations of vaults somebody else has a say
// in. The guard is meant to belong to another owner than the vaults that obey it.

import * as z from "zod";
import { armErrors } from "../../../arm/errors.ts";
import type { Route } from "../../../arm/routes.ts";
import type { Provider, ResourceLifecycle } from "../../../arm/provider.ts";
import { ok, param, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { getResource, resourceNotFound } from "../../../arm/resources/resource-store.ts";
import { trackedRoutes, type TrackedType } from "../../../arm/resources/tracked-routes.ts";
import { defaultRequest, guardedOperations, type GuardedOperation } from "../../../backup/vaults/guard.ts";
import { listVaults } from "../../../backup/vaults/vaults.ts";
import { isGuarded } from "./guard-check.ts";
import type { RecoveryServices } from "../services.ts";

const namespace = "Microsoft.DataProtection";
const versions = ["2025-07-01", "2024-04-01", "2023-05-01", "2022-11-01-preview"];
const operations = Object.keys(guardedOperations) as GuardedOperation[];

const guardProperties = z.object({
  vaultCriticalOperationExclusionList: z.array(z.string().max(300)).max(50).nullish(),
  description: z.string().max(1024).nullish(),
});

export function resourceGuardsPart(services: RecoveryServices): Provider {
  const lifecycle: ResourceLifecycle = {
    blockers: async (reader, resource) => {
      const obeying = (await listVaults(reader)).filter(
        ({ settings }) => settings.guard?.resourceGuardResourceId.toLowerCase() === resource.id.toLowerCase(),
      );
      return obeying.map(({ id }) => `The vault ${id} is protected by it; remove the vault's mapping first.`);
    },
  };
  const type: TrackedType<z.output<typeof guardProperties>> = {
    namespace,
    type: "resourceGuards",
    properties: guardProperties,
    checkName: (name) => {
      if (/^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/.test(name)) return;
      throw armErrors.InvalidResourceName(
        `The resource guard name '${name.slice(0, 80)}' is invalid: 1 to 63 letters, digits and '-', beginning with a letter or digit.`,
        { target: "name" },
      );
    },
    settle: async ({ properties }) => {
      const excluded = properties.vaultCriticalOperationExclusionList ?? [];
      return {
        properties: {
          allowAutoApprovals: true,
          resourceGuardOperations: operations
            .filter((name) => !excluded.some((one) => isSame(one, name)) || guardedOperations[name].isMandatory)
            .map((name) => ({
              vaultCriticalOperation: guardedOperations[name].operation,
              requestResourceType: `${namespace}/resourceGuards/${guardedOperations[name].requests}`,
            })),
          vaultCriticalOperationExclusionList: excluded,
          description: properties.description ?? "",
        },
      };
    },
    lifecycle,
  };
  const path = `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/${namespace}/resourceGuards/{name}`;
  return {
    namespace,
    resourceTypes: [{ name: type.type, apiVersions: versions, capabilities: "SupportsTags, SupportsLocation" }],
    routes: [
      ...trackedRoutes(services, type).map(withRight),
      ...operations.flatMap((operation) => {
        const requests = `${path}/${guardedOperations[operation].requests}`;
        return [
          { method: "GET" as const, path: requests, handle: listRequests(services, operation) },
          { method: "GET" as const, path: `${requests}/{request}`, handle: showRequest(services, operation) },
        ];
      }),
    ],
    lifecycles: { [type.type]: lifecycle },
  };
}

/** Azure's built-in roles name these two rights of a guard with the whole path. */
function withRight(route: Route): Route {
  const right =
    route.method === "DELETE" ? "delete" : route.method === "PUT" || route.method === "PATCH" ? "write" : "";
  if (right === "") return route;
  return { ...route, action: `${namespace}/subscriptions/resourceGroups/providers/resourceGuards/${right}` };
}

function isSame(excluded: string, operation: GuardedOperation): boolean {
  return excluded.toLowerCase() === guardedOperations[operation].operation.toLowerCase();
}

/** What a caller names to show that he means the guarded operation: there is always exactly one. */
function listRequests({ database }: RecoveryServices, operation: GuardedOperation) {
  return async (request: ArmRequest): Promise<ArmReply> => {
    const guard = await getResource(database.kysely, guardIdOf(request));
    const isThere = await isGuarded(database.kysely, guard.id, operation);
    return ok({ value: isThere ? [renderRequest(guard.id, operation)] : [] });
  };
}

function showRequest({ database }: RecoveryServices, operation: GuardedOperation) {
  return async (request: ArmRequest): Promise<ArmReply> => {
    const guard = await getResource(database.kysely, guardIdOf(request));
    const isThere = await isGuarded(database.kysely, guard.id, operation);
    if (!isThere || param(request, "request").toLowerCase() !== "default") throw resourceNotFound(request.resourceId);
    return ok(renderRequest(guard.id, operation));
  };
}

function guardIdOf(request: ArmRequest): string {
  return request.resourceId.split("/").slice(0, 9).join("/");
}

function renderRequest(guardId: string, operation: GuardedOperation): object {
  return {
    id: defaultRequest(guardId, operation),
    name: "default",
    type: `${namespace}/resourceGuards/${guardedOperations[operation].requests}`,
  };
}
