// Microsoft.Insights/diagnosticSettings: which of a resource's logs go to which workspaces.

import { z } from "zod";
import { armErrors } from "../../arm/errors.ts";
import type { Provider } from "../../arm/provider.ts";
import { noContent, ok, param, parseBody, type ArmRequest } from "../../arm/request.ts";
import { idKey } from "../../arm/resource-id.ts";
import { deleteResource, findResource, getResource, putResource } from "../../arm/resources/resource-store.ts";
import type { Resource } from "../../arm/resources/resource.ts";
import { appendEvent } from "../../events/append.ts";
import type { Services } from "../services.ts";
import { categoriesOf, type DiagnosticCategory } from "./diagnostic-categories.ts";
import { diagnosticSettingsOf, diagnosticSettingType, type DiagnosticSetting } from "./settings-of-resource.ts";

const largestCount = 5;

const retentionPolicy = z.object({ enabled: z.boolean(), days: z.number().int().min(0) }).nullish();
const notServed = (what: string) =>
  z.literal("", `records are not sent to ${what}: name a workspace or a storage account`).nullish();
const bodySchema = z.object({
  properties: z.object({
    workspaceId: z.string().nullish(),
    storageAccountId: z.string().nullish(),
    eventHubAuthorizationRuleId: notServed("event hubs"),
    serviceBusRuleId: notServed("service buses"),
    marketplacePartnerId: notServed("partner solutions"),
    logAnalyticsDestinationType: z.enum(["Dedicated", "AzureDiagnostics"]).nullish(),
    logs: z
      .array(
        z.object({
          category: z.string().nullish(),
          categoryGroup: z.string().nullish(),
          enabled: z.boolean(),
          retentionPolicy,
        }),
      )
      .nullish(),
    metrics: z
      .array(z.looseObject({ category: z.string().nullish(), enabled: z.boolean(), retentionPolicy }))
      .nullish(),
  }),
});

/** Whoever sends records somewhere must be able to read the keys of where he sends them. */
const destinations = [
  { property: "workspaceId", type: "Microsoft.OperationalInsights/workspaces", action: "sharedKeys" },
  { property: "storageAccountId", type: "Microsoft.Storage/storageAccounts", action: "listKeys" },
] as const;

export function diagnosticSettingsProvider({ database, access }: Services): Provider {
  const render = ({ id, name, properties }: Resource<DiagnosticSetting>): object => ({
    id,
    name,
    type: diagnosticSettingType,
    properties: { logs: [], metrics: [], ...properties },
  });
  const scopeOf = (request: ArmRequest): string =>
    request.path.slice(0, request.path.toLowerCase().lastIndexOf("/providers/microsoft.insights/"));
  const settingsOf = (scope: string) => diagnosticSettingsOf(database.kysely, scope);
  const collection = "{scope}/providers/Microsoft.Insights/diagnosticSettings";
  const one = `${collection}/{name}`;
  const categories = "{scope}/providers/Microsoft.Insights/diagnosticSettingsCategories";

  const put = async (request: ArmRequest) => {
    const asked = parseBody(request, bodySchema).properties;
    const scope = scopeOf(request);
    const known = categoriesOf(scope);
    if (scope.split("/").length > 3) await getResource(database.kysely, scope);
    const logs = (asked.logs ?? []).map((log) => ({ ...log, category: spelled(known, log.category) }));
    const properties = { ...asked, logs };
    for (const { category } of logs) {
      if (category === undefined || category === null || known.some(({ name }) => name === category)) continue;
      throw armErrors.BadRequest(
        known.length === 0
          ? `Category '${category}' is not supported: resources of this type write no logs here. Recovery Services vaults do.`
          : `Category '${category}' is not supported. Supported: ${known.map(({ name }) => name).join(", ")}.`,
        { target: "properties.logs" },
      );
    }
    const named = destinations.filter(({ property }) => (properties[property] ?? "") !== "");
    if (named.length === 0) {
      throw armErrors.BadRequest(
        "A diagnostic setting needs a destination: set properties.workspaceId to the id of a Log Analytics workspace, or properties.storageAccountId to that of a storage account.",
        { target: "properties.workspaceId" },
      );
    }
    for (const { property, type, action } of named) {
      const id = properties[property] ?? "";
      const target = `properties.${property}`;
      const destination = await findResource(database.kysely, id);
      if (destination?.type.toLowerCase() !== type.toLowerCase())
        throw armErrors.ResourceNotFound(`The destination '${id}' is no ${type}, or was not found.`, { target });
      const principal = { objectId: request.caller.principalId, name: request.caller.name };
      await access.check({ principal, action: `${type}/${action}/action`, scope: destination.id });
    }
    const others = (await settingsOf(scope)).filter(({ id }) => idKey(id) !== idKey(request.resourceId));
    if (others.length >= largestCount)
      throw armErrors.Conflict(`A resource has at most ${largestCount} diagnostic settings; delete one first.`);
    const { resource } = await database.transaction(async (trx) => {
      appendEvent(trx, {
        type: "diagnosticSetting.changed",
        subject: idKey(scope),
        data: { id: request.resourceId },
        actor: request.caller.principalId,
        correlationId: request.correlationId,
      });
      const draft = { id: request.resourceId, properties };
      return putResource(trx, draft, { caller: request.caller, clock: database.clock });
    });
    return ok(render(resource as Resource<DiagnosticSetting>));
  };

  return {
    namespace: "Microsoft.Insights",
    resourceTypes: [
      { name: "diagnosticSettings", apiVersions: ["2021-05-01-preview", "2017-05-01-preview"], isGlobal: true },
      {
        name: "diagnosticSettingsCategories",
        apiVersions: ["2021-05-01-preview", "2017-05-01-preview"],
        isGlobal: true,
      },
    ],
    routes: [
      {
        method: "GET",
        path: collection,
        handle: async (request) => ok({ value: (await settingsOf(scopeOf(request))).map(render) }),
      },
      {
        method: "GET",
        path: one,
        handle: async (request) =>
          ok(render(await getResource<DiagnosticSetting>(database.kysely, request.resourceId))),
      },
      { method: "PUT", path: one, handle: put },
      {
        method: "DELETE",
        path: one,
        handle: async (request) =>
          (await database.transaction((trx) => deleteResource(trx, request.resourceId)))
            ? { status: 200 }
            : noContent(),
      },
      {
        method: "GET",
        path: categories,
        handle: async (request) =>
          ok({ value: categoriesOf(scopeOf(request)).map((category) => renderCategory(scopeOf(request), category)) }),
      },
      {
        method: "GET",
        path: `${categories}/{name}`,
        handle: async (request) => {
          const found = categoriesOf(scopeOf(request)).find(
            ({ name }) => name.toLowerCase() === param(request, "name").toLowerCase(),
          );
          if (found === undefined)
            throw armErrors.ResourceNotFound(
              `There is no category '${param(request, "name")}' for ${scopeOf(request)}.`,
            );
          return ok(renderCategory(scopeOf(request), found));
        },
      },
    ],
  };
}

/** A category in any case is the known one. */
function spelled(known: readonly DiagnosticCategory[], asked: string | null | undefined): string | null | undefined {
  return known.find(({ name }) => name.toLowerCase() === asked?.toLowerCase())?.name ?? asked;
}

function renderCategory(scope: string, { name, kind }: { name: string; kind: "Logs" | "Metrics" }): object {
  const type = "Microsoft.Insights/diagnosticSettingsCategories";
  return {
    id: `${scope}/providers/${type}/${name}`,
    name,
    type,
    properties: { categoryType: kind, categoryGroups: kind === "Logs" ? ["allLogs"] : [] },
  };
}
