// Microsoft.Resources/deployments: its types and routes, and the operation that carries them out.

import type { Provider, ProviderDirectory } from "../../../arm/provider.ts";
import { findResource } from "../../../arm/resources/resource-store.ts";
import { activeStates } from "./deployment-record.ts";
import type { DeploymentParts } from "./host.ts";
import { deploymentRoutes } from "./routes.ts";
import { deploymentHandler, deploymentOperationKind, liveDeployments } from "./run-deployment.ts";
import { templateLoader, type ReadOwnTemplate } from "./linked-templates.ts";

export interface DeploymentOptions extends Omit<DeploymentParts, "apiVersionOf" | "loadTemplate"> {
  readonly directory: () => ProviderDirectory;
  /** Linked templates from this machine or the local link: off unless the operator says so. */
  readonly allowLocalTemplates?: boolean;
  readonly readOwnTemplate?: ReadOwnTemplate;
}

const apiVersions = ["2025-04-01", "2024-03-01", "2022-09-01", "2021-04-01", "2020-10-01", "2020-06-01", "2019-10-01"];

export function deploymentsProvider({
  directory,
  allowLocalTemplates = false,
  readOwnTemplate,
  ...rest
}: DeploymentOptions): Provider {
  const parts: DeploymentParts = {
    ...rest,
    loadTemplate: templateLoader(allowLocalTemplates, readOwnTemplate),
    apiVersionOf: (type) => directory().apiVersionsOf(type)[0] ?? "2021-04-01",
  };
  const live = liveDeployments();
  parts.services.operations.register(deploymentOperationKind, deploymentHandler(parts, live), { waitsForOthers: true });
  return {
    namespace: "Microsoft.Resources",
    resourceTypes: [
      { name: "deployments", apiVersions },
      { name: "deployments/operations", apiVersions },
      { name: "calculateTemplateHash", apiVersions, isGlobal: true },
    ],
    routes: deploymentRoutes(parts, live),
    lifecycles: {
      deployments: {
        blockers: async (reader, resource) => {
          const current = await findResource(reader, resource.id);
          return current !== undefined && activeStates.has(current.provisioningState)
            ? [`The deployment '${resource.name}' is running. Cancel it first.`]
            : [];
        },
      },
    },
  };
}
