// providerOperations: every action that there is, read off the routes of the providers themselves.

import { armErrors } from "../../arm/errors.ts";
import type { Provider } from "../../arm/provider.ts";
import { ok, param } from "../../arm/request.ts";
import { compileRoutes, type Route } from "../../arm/routes.ts";

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
  const actions = new Set(compileRoutes(provider.routes).routes.map(({ action }) => action));
  const byType = new Map<string, string[]>();
  for (const action of actions) {
    const type = typeOf(action, provider.namespace);
    if (type !== undefined) byType.set(type, [...(byType.get(type) ?? []), action]);
  }
  const operationsOf = (type: string) => (byType.get(type) ?? []).map(renderOperation);
  return {
    id: `${path}/${provider.namespace}`,
    name: provider.namespace,
    type: "Microsoft.Authorization/providerOperations",
    displayName: provider.namespace,
    operations: operationsOf(""),
    resourceTypes: [...byType.keys()]
      .filter((type) => type !== "")
      .map((type) => ({ name: type, displayName: type, operations: operationsOf(type) })),
  };
}

/** `/providers/Microsoft.X/operations`, which each SDK asks of its own provider: the same in the provider's own form. */
export function operationListProviders(
  namespaces: readonly string[],
  providers: () => readonly Provider[],
): Provider[] {
  return namespaces.map((namespace) => ({
    namespace,
    resourceTypes: [{ name: "operations", apiVersions: ["2023-06-01"], isGlobal: true }],
    routes: [
      {
        method: "GET",
        path: `/providers/${namespace}/operations`,
        action: "",
        handle: async () => {
          const provider = providers().find((known) => known.namespace === namespace);
          const actions = new Set(compileRoutes(provider?.routes ?? []).routes.map(({ action }) => action));
          const own = [...actions].filter((action) => (typeOf(action, namespace) ?? "") !== "");
          return ok({ value: own.toSorted().map((action) => renderListed(namespace, action)) });
        },
      },
    ],
  }));
}

function renderListed(namespace: string, action: string) {
  const resource = typeOf(action, namespace);
  return {
    name: action,
    isDataAction: false,
    origin: "user",
    display: { provider: namespace, resource, operation: action.slice(namespace.length + 1), description: "" },
  };
}

/** `Microsoft.X/things/restart/action` -> `things`; undefined for what is no action of the namespace. */
function typeOf(action: string, namespace: string): string | undefined {
  const [prefix, ...rest] = action.split("/");
  if (prefix?.toLowerCase() !== namespace.toLowerCase()) return undefined;
  return rest.slice(0, rest.at(-1) === "action" ? -2 : -1).join("/");
}

function renderOperation(action: string) {
  return { name: action, displayName: action, description: "", origin: "user", isDataAction: false };
}
