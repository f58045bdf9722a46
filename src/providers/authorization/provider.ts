// Microsoft.Authorization: who may do what where. Locks, of the same namespace, stand beside.

import type { Provider } from "../../arm/provider.ts";
import { ok, param, type ArmRequest } from "../../arm/request.ts";
import type { Route } from "../../arm/routes.ts";
import type { Services } from "../services.ts";
import { providerOperationRoutes } from "./provider-operations.ts";
import { roleAssignmentRoutes } from "./role-assignments.ts";
import { roleDefinitionRoutes } from "./role-definitions.ts";
import { requestScope } from "./scopes.ts";
import { defineErrors } from "../../lib/errors.ts";

const errors = defineErrors({ DenyAssignmentNotFound: { status: 404 } });

const versions = ["2022-04-01", "2020-04-01-preview", "2018-01-01-preview", "2015-07-01"];

export function authorizationProvider(services: Services, providers: () => readonly Provider[]): Provider {
  return {
    namespace: "Microsoft.Authorization",
    resourceTypes: [
      { name: "roleAssignments", apiVersions: versions, isGlobal: true },
      { name: "roleDefinitions", apiVersions: versions, isGlobal: true },
      { name: "permissions", apiVersions: versions, isGlobal: true },
      { name: "providerOperations", apiVersions: versions, isGlobal: true },
      { name: "denyAssignments", apiVersions: ["2022-04-01", "2018-07-01-preview"], isGlobal: true },
      { name: "classicAdministrators", apiVersions: ["2015-07-01", "2015-06-01"], isGlobal: true },
    ],
    routes: [
      ...roleAssignmentRoutes(services),
      ...roleDefinitionRoutes(services),
      ...providerOperationRoutes(providers),
      ...permissionRoutes(services),
      emptyList("{scope}/providers/Microsoft.Authorization/denyAssignments"),
      {
        method: "GET",
        path: "{scope}/providers/Microsoft.Authorization/denyAssignments/{name}",
        handle: async (request) => {
          throw errors.DenyAssignmentNotFound(`The deny assignment '${param(request, "name")}' is not found.`);
        },
      },
      emptyList("/subscriptions/{subscriptionId}/providers/Microsoft.Authorization/classicAdministrators"),
    ],
  };
}

/** Everybody may know what he himself may do. */
function permissionRoutes({ access }: Services): Route[] {
  const handle = async (request: ArmRequest) =>
    ok({ value: await access.effectivePermissions(request.caller.principalId, requestScope(request)) });
  return [{ method: "GET", path: "{scope}/providers/Microsoft.Authorization/permissions", action: "", handle }];
}

/** What Azure has and nothing here ever makes. */
function emptyList(path: string): Route {
  return { method: "GET", path, handle: async () => ok({ value: [] }) };
}
