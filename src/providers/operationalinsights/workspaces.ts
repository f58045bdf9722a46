// Microsoft.OperationalInsights/workspaces: where logs are kept and asked.

import { z } from "zod";
import { armErrors } from "../../arm/errors.ts";
import type { Provider, ResourceLifecycle } from "../../arm/provider.ts";
import { ok, param, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { publicNetworkAccess } from "../../arm/resources/network-access.ts";
import { getResource } from "../../arm/resources/resource-store.ts";
import { trackedRoutes, type TrackedType } from "../../arm/resources/tracked-routes.ts";
import type { Route } from "../../arm/routes.ts";
import { isoTime } from "../../lib/clock.ts";
import { newGuid, randomBytes } from "../../lib/random.ts";
import { deletedWorkspaceRoutes, purgeWorkspace, recoverWorkspace, rememberWorkspace } from "./deleted-workspaces.ts";
import { savedSearchRoutes } from "./saved-searches.ts";
import type { LogServices } from "./services.ts";
import { tableRoutes } from "./tables.ts";
import { workspaceListRoutes, workspaceListTypes } from "./workspace-lists.ts";
import { namespace, workspacesFor, workspacePath, workspaceType } from "./workspace.ts";

const versions = [
  "2025-02-01",
  "2023-09-01",
  "2022-10-01",
  "2021-12-01-preview",
  "2021-06-01",
  "2020-08-01",
  "2015-11-01-preview",
];

const defaultDays = 30;

const propertiesSchema = z.looseObject({
  sku: z.looseObject({ name: z.string() }).nullish(),
  retentionInDays: z.number().int().min(4).max(730).nullish(),
  publicNetworkAccessForIngestion: publicNetworkAccess,
  publicNetworkAccessForQuery: publicNetworkAccess,
  workspaceCapping: z.looseObject({ dailyQuotaGb: z.number().nullish() }).nullish(),
  features: z.looseObject({}).nullish(),
});

export function workspacesProvider(services: LogServices): Provider {
  const { database, logs, secretBox } = services;
  const type: TrackedType<z.output<typeof propertiesSchema>> = {
    namespace,
    type: workspaceType,
    properties: propertiesSchema,
    checkName: (name) => {
      if (/^[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]$/.test(name)) return;
      throw armErrors.InvalidResourceName(
        `The workspace name '${name}' is invalid: 4 to 63 letters, digits and '-', beginning and ending with a letter or digit.`,
        { target: "name" },
      );
    },
    settle: async ({ trx, id, existing, properties }) => {
      const before = existing ?? (await recoverWorkspace(trx, id));
      const kept: Readonly<Record<string, unknown>> = { ...before?.properties };
      const now = isoTime(database.clock.now());
      const sku = properties.sku?.name ?? "PerGB2018";
      return {
        properties: {
          customerId: kept["customerId"] ?? newGuid(),
          provisioningState: "Succeeded",
          sku: { ...properties.sku, name: sku, lastSkuUpdate: now },
          retentionInDays: properties.retentionInDays ?? kept["retentionInDays"] ?? defaultDays,
          features: { enableLogAccessUsingOnlyResourcePermissions: true, ...properties.features },
          workspaceCapping: { dailyQuotaGb: -1, dataIngestionStatus: "RespectQuota", ...properties.workspaceCapping },
          publicNetworkAccessForIngestion: properties.publicNetworkAccessForIngestion ?? "Enabled",
          publicNetworkAccessForQuery: properties.publicNetworkAccessForQuery ?? "Enabled",
          createdDate: kept["createdDate"] ?? now,
          modifiedDate: now,
        },
        hidden: before?.hidden ?? { keys: [newKey(), newKey()] },
      };
    },
  };

  const lifecycle: ResourceLifecycle = { remove: rememberWorkspace };
  const newKey = (): string => secretBox.seal(randomBytes(64)).toString("base64");

  const sharedKeys = async (request: ArmRequest): Promise<ArmReply> => {
    const { hidden } = await getResource<object, { keys: [string, string] }>(database.kysely, workspaceIdOf(request));
    const [primarySharedKey, secondarySharedKey] = hidden.keys.map((key) =>
      secretBox.open(Buffer.from(key, "base64")).toString("base64"),
    );
    return ok({ primarySharedKey, secondarySharedKey });
  };

  const removing =
    (remove: Route["handle"]): Route["handle"] =>
    async (request) => {
      const reply = await remove(request);
      if (request.query.get("force")?.toLowerCase() === "true")
        await database.transaction((trx) => purgeWorkspace(trx, request.resourceId));
      return reply;
    };

  const query = async (request: ArmRequest): Promise<ArmReply> => {
    const { lookUp } = workspacesFor(services, {
      objectId: request.caller.principalId,
      name: request.caller.name,
    });
    const wire = {
      body: request.body,
      workspaces: [await lookUp(workspaceIdOf(request))],
      timespan: request.query.get("timespan"),
      prefer: request.header("prefer"),
    };
    const { status, json } = await logs.answer(wire, lookUp, request.signal);
    return { status, body: JSON.parse(json) as unknown };
  };
  const queryAction = `${namespace}/workspaces/query/read`;

  return {
    namespace,
    resourceTypes: [
      { name: workspaceType, apiVersions: versions, capabilities: "SupportsTags, SupportsLocation" },
      { name: "deletedWorkspaces", apiVersions: versions },
      { name: "workspaces/tables", apiVersions: versions },
      { name: "workspaces/savedSearches", apiVersions: versions },
      ...workspaceListTypes.map((name) => ({ name, apiVersions: versions })),
    ],
    routes: [
      ...trackedRoutes(services, { ...type, lifecycle }).map((route) =>
        route.method === "DELETE" ? { ...route, handle: removing(route.handle) } : route,
      ),
      ...deletedWorkspaceRoutes(services),
      // Templates ask by listKeys, everybody else by sharedKeys.
      ...["sharedKeys", "listKeys"].map((name): Route => ({
        method: "POST",
        path: `${workspacePath}/${name}`,
        effect: "read",
        handle: sharedKeys,
      })),
      { method: "POST", path: `${workspacePath}/query`, action: queryAction, effect: "read", handle: query },
      { method: "POST", path: `${workspacePath}/api/query`, action: queryAction, effect: "read", handle: query },
      ...tableRoutes(services),
      ...savedSearchRoutes(services),
      ...workspaceListRoutes(services),
    ],
    lifecycles: { [workspaceType]: lifecycle },
  };
}

function workspaceIdOf(request: ArmRequest): string {
  return `/subscriptions/${param(request, "subscriptionId")}/resourceGroups/${param(request, "resourceGroup")}/providers/${namespace}/workspaces/${param(request, "name")}`;
}
