// Microsoft.ManagedIdentity/userAssignedIdentities: a principal that has no secret, for vaults and
// machines to act as. It lives in the directory as long as the resource does.

import { z } from "zod";
import { armErrors } from "../../arm/errors.ts";
import type { Provider } from "../../arm/provider.ts";
import { trackedRoutes, type TrackedType } from "../../arm/resources/tracked-routes.ts";
import type { Resource } from "../../arm/resources/resource.ts";
import {
  createManagedIdentity,
  deleteServicePrincipal,
  findServicePrincipal,
} from "../../identity/directory/service-principals.ts";
import type { Services } from "../services.ts";

const namespace = "Microsoft.ManagedIdentity";

export function managedIdentityProvider(services: Services): Provider {
  const type: TrackedType<object> = {
    namespace,
    type: "userAssignedIdentities",
    properties: z.object({}),
    checkName: (name) => {
      if (/^[A-Za-z0-9][\w-]{2,127}$/.test(name)) return;
      throw armErrors.InvalidResourceName(
        `The identity name '${name}' is invalid: 3 to 128 letters, digits, '-' and '_', beginning with a letter or digit.`,
        { target: "name" },
      );
    },
    settle: async ({ trx, existing, name, id }) => {
      if (existing !== undefined) return { properties: existing.properties };
      const identity = await createManagedIdentity(trx, {
        tenantId: services.tenantId,
        displayName: name,
        resourceId: id,
      });
      return { properties: { tenantId: services.tenantId, principalId: identity.id, clientId: identity.appId } };
    },
    lifecycle: {
      remove: async (trx, resource: Resource) => {
        const principal = await findServicePrincipal(
          trx,
          services.tenantId,
          String(resource.properties["principalId"]),
        );
        if (principal !== undefined) await deleteServicePrincipal(trx, principal);
      },
    },
  };
  return {
    namespace,
    resourceTypes: [
      {
        name: type.type,
        apiVersions: ["2024-11-30", "2023-01-31", "2018-11-30"],
        capabilities: "SupportsTags, SupportsLocation",
      },
    ],
    routes: trackedRoutes(services, type),
    lifecycles: { [type.type]: type.lifecycle ?? {} },
  };
}
