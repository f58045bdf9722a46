// `az provider list/show/register`: the namespaces that are served here, with their types.

import { armErrors } from "../../arm/errors.ts";
import type { Provider } from "../../arm/provider.ts";
import { ok, param, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import type { Route } from "../../arm/routes.ts";
import { registrationStates, setRegistrationState, type Registration } from "../../arm/registrations.ts";
import { listResources } from "../../arm/resources/resource-store.ts";
import type { Services } from "../services.ts";

const collection = "/subscriptions/{subscriptionId}/providers";
const one = `${collection}/{namespace}`;

/** `providers` is asked when a request comes: this provider is itself one of them. */
export function providerListRoutes({ database, locations }: Services, providers: () => readonly Provider[]): Route[] {
  const displayNames = locations.all.map(({ displayName }) => displayName);

  const find = (request: ArmRequest): Provider => {
    const namespace = param(request, "namespace");
    const provider = providers().find((known) => known.namespace.toLowerCase() === namespace.toLowerCase());
    if (provider === undefined) {
      throw armErrors.InvalidResourceNamespace(
        `The resource namespace '${namespace}' is invalid. Known: ${providers()
          .map((known) => known.namespace)
          .join(", ")}.`,
      );
    }
    return provider;
  };

  const render = (provider: Provider, state: string, subscriptionId: string | undefined): Record<string, unknown> => ({
    ...(subscriptionId === undefined ? {} : { id: `/subscriptions/${subscriptionId}/providers/${provider.namespace}` }),
    namespace: provider.namespace,
    registrationPolicy: alwaysRegistered(provider) ? "RegistrationFree" : "RegistrationRequired",
    registrationState: state,
    resourceTypes: provider.resourceTypes.map((type) => ({
      resourceType: type.name,
      locations: type.isGlobal === true ? ["global"] : displayNames,
      apiVersions: type.apiVersions,
      defaultApiVersion: type.apiVersions[0],
      capabilities: type.capabilities ?? "None",
    })),
  });

  const stateOf = (provider: Provider, states: ReadonlyMap<string, Registration>): string =>
    states.get(provider.namespace.toLowerCase())?.state ?? "Registered";

  const change = async (request: ArmRequest, state: "Registered" | "NotRegistered"): Promise<ArmReply> => {
    const provider = find(request);
    const subscriptionId = param(request, "subscriptionId");
    if (state === "NotRegistered") {
      if (alwaysRegistered(provider))
        throw armErrors.Conflict(`The namespace '${provider.namespace}' is always registered.`);
      const used = (await listResources(database.kysely, { subscriptionId, trackedOnly: true })).find((resource) =>
        resource.type.toLowerCase().startsWith(`${provider.namespace.toLowerCase()}/`),
      );
      if (used !== undefined) {
        throw armErrors.Conflict(
          `Cannot unregister resource provider '${provider.namespace}': the subscription holds the resource ${used.id}. Delete its resources first.`,
        );
      }
    }
    await database.transaction((trx) =>
      setRegistrationState(trx, database.clock, subscriptionId, provider.namespace, state),
    );
    return ok(render(provider, state, subscriptionId));
  };

  const action = "Microsoft.Resources/subscriptions/providers";
  return [
    {
      method: "GET",
      path: "/providers",
      action: "",
      handle: async () => ok({ value: providers().map((provider) => render(provider, "Registered", undefined)) }),
    },
    {
      method: "GET",
      path: "/providers/{namespace}",
      action: "",
      handle: async (request) => ok(render(find(request), "Registered", undefined)),
    },
    {
      method: "GET",
      path: collection,
      action: `${action}/read`,
      handle: async (request) => {
        const subscriptionId = param(request, "subscriptionId");
        const states = await registrationStates(database.kysely, subscriptionId);
        return ok({
          value: providers().map((provider) => render(provider, stateOf(provider, states), subscriptionId)),
        });
      },
    },
    {
      method: "GET",
      path: one,
      action: `${action}/read`,
      handle: async (request) => {
        const subscriptionId = param(request, "subscriptionId");
        const provider = find(request);
        return ok(
          render(
            provider,
            stateOf(provider, await registrationStates(database.kysely, subscriptionId)),
            subscriptionId,
          ),
        );
      },
    },
    {
      method: "GET",
      path: `${one}/resourceTypes`,
      action: `${action}/read`,
      handle: async (request) => ok({ value: render(find(request), "Registered", undefined)["resourceTypes"] }),
    },
    {
      // No provider here acts by an application of its own.
      method: "GET",
      path: `${one}/providerPermissions`,
      action: `${action}/read`,
      handle: async (request) => {
        find(request);
        return ok({ value: [] });
      },
    },
    {
      method: "POST",
      path: `${one}/register`,
      action: "Microsoft.Resources/register/action",
      handle: (request) => change(request, "Registered"),
    },
    {
      method: "POST",
      path: `${one}/unregister`,
      action: "Microsoft.Resources/unregister/action",
      handle: (request) => change(request, "NotRegistered"),
    },
  ];
}

function alwaysRegistered(provider: Provider): boolean {
  return ["Microsoft.Resources", "Microsoft.Authorization", "Microsoft.Features"].includes(provider.namespace);
}
