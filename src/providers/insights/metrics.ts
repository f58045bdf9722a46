// Metrics of resources: none are measured here. Lists are empty, and a metric that is asked for by name is
// refused in Azure's words, so that nobody takes silence for zero.

import { armErrors } from "../../arm/errors.ts";
import type { Provider } from "../../arm/provider.ts";
import { ok, param, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { tryParseResourceId } from "../../arm/resource-id.ts";
import { getResource } from "../../arm/resources/resource-store.ts";
import type { Services } from "../services.ts";

const types = ["metricDefinitions", "metricNamespaces", "metrics"] as const;

export function metricsProvider({ database }: Pick<Services, "database">): Provider {
  const check = async (request: ArmRequest): Promise<string> => {
    const scope = param(request, "scope");
    const resource = tryParseResourceId(scope);
    if (resource?.resourceGroup !== undefined) await getResource(database.kysely, scope);
    return resource?.type ?? "";
  };
  const emptyList = async (request: ArmRequest): Promise<ArmReply> => {
    await check(request);
    return ok({ value: [] });
  };
  const measured = async (request: ArmRequest): Promise<ArmReply> => {
    const type = await check(request);
    const [namespace = "", ...rest] = type.split("/");
    const names = request.query.get("metricnames");
    if (names === undefined || names === "") return ok({ value: [], cost: 0 });
    throw armErrors.BadRequest(
      `Failed to find metric configuration for provider: ${namespace}, resource Type: ${rest.join("/")}, metric: ${names.slice(0, 200)}, Valid metrics: `,
      { target: "metricnames" },
    );
  };
  const path = (type: string): string => `{scope}/providers/Microsoft.Insights/${type}`;
  return {
    namespace: "Microsoft.Insights",
    resourceTypes: types.map((name) => ({
      name,
      apiVersions: ["2024-02-01", "2023-10-01", "2019-07-01", "2018-01-01"],
      isGlobal: true,
    })),
    routes: [
      { method: "GET", path: path("metricDefinitions"), handle: emptyList },
      { method: "GET", path: path("metricNamespaces"), handle: emptyList },
      { method: "GET", path: path("metrics"), handle: measured },
    ],
  };
}
