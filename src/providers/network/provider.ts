// Microsoft.Network, as far as virtual machines name it: networks, interfaces, addresses and security
// groups are kept and answered as clients gave them. They are descriptions: the networks of machines
// are made on their hosts.

import type { Provider } from "../../arm/provider.ts";
import { armErrors } from "../../arm/errors.ts";
import type { ResourceLifecycle } from "../../arm/provider.ts";
import { findResource } from "../../arm/resources/resource-store.ts";
import type { Resource } from "../../arm/resources/resource.ts";
import { trackedRoutes, type TrackedType } from "../../arm/resources/tracked-routes.ts";
import type { Route } from "../../arm/routes.ts";
import { namespace, networkTypes, type NetworkServices, type NetworkType } from "./network-types.ts";
import { interfaceRoutes } from "./network-interfaces.ts";
import { subnetRoutes } from "./subnets.ts";

const apiVersions = ["2024-05-01", "2023-09-01", "2022-07-01", "2022-01-01", "2019-11-01"];

export function networkProvider(services: NetworkServices): Provider {
  const made = networkTypes.map((type) => ({ type, lifecycle: lifecycleOf(type) }));
  return {
    namespace,
    resourceTypes: [
      ...networkTypes.map(({ name }) => ({ name, apiVersions, capabilities: "SupportsTags, SupportsLocation" })),
      { name: "virtualNetworks/subnets", apiVersions },
    ],
    routes: [
      ...made.flatMap(({ type, lifecycle }) => {
        const routes = trackedRoutes(services, trackedType(type, lifecycle)).map((route) =>
          refusedInUse(services, type, route),
        );
        return type.name === "networkInterfaces" ? interfaceRoutes(services, routes) : routes;
      }),
      ...subnetRoutes(services),
    ],
    lifecycles: Object.fromEntries(made.map(({ type, lifecycle }) => [type.name, lifecycle])),
  };
}

function trackedType(type: NetworkType, lifecycle: ResourceLifecycle): TrackedType<Record<string, unknown>> {
  return {
    namespace,
    type: type.name,
    properties: type.properties,
    checkName: (name) => {
      if (/^[A-Za-z0-9]([A-Za-z0-9._-]{0,78}[A-Za-z0-9_])?$/.test(name)) return;
      throw armErrors.InvalidResourceName(
        `Resource name ${name.slice(0, 100)} is invalid. It has 1 to 80 letters, digits, '_', '.' and '-', begins with a letter or digit and ends with one or '_'.`,
        { target: "name" },
      );
    },
    settle: async (change) => ({
      properties: await type.settle(change.trx, change.id, change.properties, change.existing),
    }),
    lifecycle,
  };
}

/** A group goes with all that is in it; what others lean on from outside keeps it. */
function lifecycleOf(type: NetworkType): ResourceLifecycle {
  return {
    blockers: async (reader, resource: Resource) => {
      const group = `${resource.id.toLowerCase().split("/providers/")[0] ?? ""}/`;
      const users = (await type.users(reader, resource)).filter((id) => !id.toLowerCase().startsWith(group));
      return users.map(inUse);
    },
  };
}

/** Alone, nothing goes that is in use. */
function refusedInUse({ database }: NetworkServices, type: NetworkType, route: Route): Route {
  if (route.method !== "DELETE") return route;
  return {
    ...route,
    handle: async (request) => {
      const resource = await findResource(database.kysely, request.resourceId);
      const users = resource === undefined ? [] : await type.users(database.kysely, resource);
      if (users.length === 0) return route.handle(request);
      throw armErrors.Conflict(`${request.resourceId} cannot be deleted: ${users.map(inUse).join(" ")}`, {
        target: request.resourceId,
      });
    },
  };
}

function inUse(id: string): string {
  return `It is in use by ${id}.`;
}
