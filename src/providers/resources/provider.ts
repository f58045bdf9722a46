// Microsoft.Resources: subscriptions, groups, tags, lists over all types, providers, operations.

import type { Provider, ProviderDirectory } from "../../arm/provider.ts";
import type { Services } from "../services.ts";
import { deleteGroupHandler, deleteGroupKind } from "./delete-group.ts";
import { genericResourceRoutes } from "./generic-resources.ts";
import { moveRoutes } from "./move-resources.ts";
import { operationRoutes } from "./operations.ts";
import { providerListRoutes } from "./provider-list.ts";
import { resourceGroupRoutes } from "./resource-groups.ts";
import { subscriptionRoutes } from "./subscriptions.ts";
import { tagNameRoutes } from "./tag-names.ts";
import { tagRoutes } from "./tags.ts";

/** `directory` is asked when requests come: this provider is itself listed in it. */
export function resourcesProvider(
  services: Services,
  namespaces: readonly string[],
  directory: () => ProviderDirectory,
): Provider {
  const lifecycleOf: ProviderDirectory["lifecycleOf"] = (type) => directory().lifecycleOf(type);
  services.operations.register(deleteGroupKind, deleteGroupHandler(services.database, lifecycleOf));
  const versions = ["2025-04-01", "2024-03-01", "2022-09-01", "2021-04-01", "2020-06-01", "2019-11-01"];
  return {
    namespace: "Microsoft.Resources",
    resourceTypes: [
      { name: "tenants", apiVersions: ["2022-12-01", "2020-01-01"], isGlobal: true },
      { name: "subscriptions", apiVersions: ["2022-12-01", "2021-01-01", "2019-11-01"], isGlobal: true },
      { name: "subscriptions/locations", apiVersions: ["2022-12-01", "2019-11-01"], isGlobal: true },
      { name: "subscriptions/resourceGroups", apiVersions: versions, isGlobal: true },
      { name: "subscriptions/providers", apiVersions: versions, isGlobal: true },
      { name: "resourceGroups", apiVersions: versions, capabilities: "SupportsTags, SupportsLocation" },
      { name: "resources", apiVersions: versions, isGlobal: true },
      { name: "tags", apiVersions: versions, isGlobal: true },
      { name: "providers", apiVersions: versions, isGlobal: true },
    ],
    routes: [
      ...subscriptionRoutes(services),
      ...resourceGroupRoutes(services, lifecycleOf),
      ...genericResourceRoutes(services),
      ...tagNameRoutes(services),
      ...tagRoutes(services),
      ...moveRoutes(services),
      ...providerListRoutes(services, () => directory().providers),
      ...operationRoutes(services, namespaces),
    ],
  };
}
