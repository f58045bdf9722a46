// providerOperations: every action that there is, read off the routes of the providers themselves.

import { armErrors } from "../../arm/errors.ts";
import type { Provider } from "../../arm/provider.ts";
import { ok, param } from "../../arm/request.ts";
import { compileRoutes, type CompiledRoute, type Route } from "../../arm/routes.ts";

const path = "/providers/Microsoft.Authorization/providerOperations";

/** `providers` is asked when a request comes: this provider is itself one of them. */
export function providerOperationRoutes(providers: () => readonly Provider[]): Route[] {
  return [
    { method: "GET", path, action: "", handle: async () => ok({ value: providers().map(render) }) },
    {
      method: "GET",
      path: `${path}/{namespace}`,
      action: "",
      handle: async (request) => {
        const namespace = param(request, "namespace");
        const provider = providers().find((known) => known.namespace.toLowerCase() === namespace.toLowerCase());
        if (provider === undefined) throw armErrors.NotFound(`There is no provider '${namespace}'.`);
        return ok(render(provider));
      },
    },
  ];
}

function render(provider: Provider): Record<string, unknown> {
  const byType = new Map<string, CompiledRoute[]>();
  for (const route of compileRoutes(provider.routes).routes) {
    if (route.action === "") continue;
    const routes = byType.get(route.resourceType) ?? [];
    if (!routes.some(({ action }) => action === route.action)) byType.set(route.resourceType, [...routes, route]);
  }
  return {
    id: `${path}/${provider.namespace}`,
    name: provider.namespace,
    type: "Microsoft.Authorization/providerOperations",
    displayName: provider.namespace,
    operations: [],
    resourceTypes: [...byType].map(([type, routes]) => {
      const name = type.slice(provider.namespace.length + 1);
      return {
        name,
        displayName: name,
        operations: routes.map(({ action }) => ({
          name: action,
          displayName: action,
          description: "",
          origin: "user",
          isDataAction: false,
        })),
      };
    }),
  };
}
