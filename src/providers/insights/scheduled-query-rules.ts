// Microsoft.Insights/scheduledQueryRules. A rule runs with the rights of who wrote it last, as they are
// when it runs: who loses them no longer sees through a rule what he may not see.

import { z } from "zod";
import { armErrors } from "../../arm/errors.ts";
import type { Provider } from "../../arm/provider.ts";
import { param, parseBody, type ArmRequest } from "../../arm/request.ts";
import { idKey } from "../../arm/resource-id.ts";
import { findResource } from "../../arm/resources/resource-store.ts";
import { renderResource, type Resource } from "../../arm/resources/resource.ts";
import { mergePatch, trackedRoutes, type TrackedType } from "../../arm/resources/tracked-routes.ts";
import type { AccessPrincipal } from "../../identity/access/access.ts";
import { isoTime } from "../../lib/clock.ts";
import { HoldfastError } from "../../lib/errors.ts";
import { resolveAlertsOf } from "../../monitor/alerts.ts";
import { schemaQuery } from "../../monitor/rules/rule-query.ts";
import type { Rule } from "../../monitor/rules/rule.ts";
import { scheduleRule, unscheduleRule, type RuleAnswer } from "../../monitor/rules/run-rules.ts";
import type { LogServices } from "../operationalinsights/services.ts";
import { workspacesFor } from "../operationalinsights/workspace.ts";
import { isEnabled, ruleFrom } from "./scheduled-query-rule.ts";

const namespace = "Microsoft.Insights";
const typeName = "scheduledQueryRules";

interface Hidden {
  readonly editor: AccessPrincipal;
}

type RuleServices = Pick<LogServices, "database" | "access" | "logs">;

export function scheduledQueryRulesProvider(services: LogServices): Provider {
  const { database } = services;
  const lifecycle = {
    remove: async (trx: Parameters<typeof unscheduleRule>[0], { id }: Resource) => {
      await unscheduleRule(trx, idKey(id));
      await resolveAlertsOf(trx, idKey(id));
    },
  };
  const type: TrackedType<Record<string, unknown>> = {
    namespace,
    type: typeName,
    properties: z.looseObject({}),
    checkName: (name) => {
      if (/^[^<>*%&:\\?+/#@{}]{1,260}$/.test(name)) return;
      throw armErrors.InvalidResourceName(
        `The rule name '${name.slice(0, 300)}' is invalid: 1 to 260 characters without < > * % & : \\ ? + / # @ { }.`,
        { target: "name" },
      );
    },
    settle: async ({ trx, id, properties, existing, caller, request }) => {
      const rule = ruleFrom(id, properties);
      await scheduleRule(trx, idKey(id), rule.frequency, database.clock.now());
      const hidden: Hidden = { editor: { objectId: caller.principalId, name: caller.name } };
      return {
        properties: {
          ...properties,
          createdWithApiVersion: existing?.properties["createdWithApiVersion"] ?? request.apiVersion,
          isLegacyLogAnalyticsRule: false,
          isWorkspaceAlertsStorageConfigured: false,
        },
        hidden,
      };
    },
    lifecycle,
    render: (resource) => {
      const shown = renderResource(resource);
      const properties = resource.properties;
      if (!("source" in properties)) return { kind: "LogAlert", ...shown };
      const { createdWithApiVersion: _version, ...own } = properties;
      return {
        ...shown,
        properties: { ...own, provisioningState: "Succeeded", lastUpdatedTime: isoTime(resource.changedAt) },
      };
    },
  };

  /** Before anything is stored: what the rule will hold, and whether its query can be asked. */
  const check = async (request: ArmRequest): Promise<void> => {
    const body = parseBody(request, z.looseObject({ properties: z.looseObject({}).optional() }));
    const existing = request.method === "PATCH" ? await findResource(database.kysely, request.resourceId) : undefined;
    const properties = mergePatch(existing?.properties ?? {}, body.properties ?? {});
    if (typeof properties !== "object" || properties === null) return;
    type.checkName(param(request, "name"));
    const rule = ruleFrom(request.resourceId, properties);
    if (Reflect.get(properties, "skipQueryValidation") === true) return;
    const now = database.clock.now();
    const editor = { objectId: request.caller.principalId, name: request.caller.name };
    try {
      await askScope(services, editor, rule, schemaQuery(rule.criterion), now, now, request.signal);
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.status >= 500 || error.status === 403) throw error;
      throw armErrors.BadRequest(
        `The query of the rule cannot be run over '${rule.scope}': ${error.sentence} Set properties.skipQueryValidation to store the rule all the same.`,
        { target: "properties.criteria.allOf[0].query", cause: error },
      );
    }
  };

  return {
    namespace,
    resourceTypes: [
      {
        name: typeName,
        apiVersions: ["2023-12-01", "2022-06-15", "2021-08-01", "2020-05-01-preview", "2018-04-16"],
        capabilities: "SupportsTags, SupportsLocation",
      },
    ],
    routes: trackedRoutes(services, type).map((route) =>
      route.method === "PUT" || route.method === "PATCH"
        ? {
            ...route,
            handle: async (request) => {
              await check(request);
              return route.handle(request);
            },
          }
        : route,
    ),
    lifecycles: { [typeName]: lifecycle },
  };
}

/** The enabled rule with this key. */
export async function findRule({ database }: Pick<LogServices, "database">, key: string): Promise<Rule | undefined> {
  const resource = await findResource<object>(database.kysely, key);
  return resource === undefined || !isEnabled(resource.properties)
    ? undefined
    : ruleFrom(resource.id, resource.properties);
}

/** Asks what the rule is about, with the rights of its last editor. */
export async function askForRule(
  services: RuleServices,
  rule: Rule,
  text: string,
  from: number,
  end: number,
  signal: AbortSignal,
): Promise<RuleAnswer> {
  const resource = await findResource<object, Hidden>(services.database.kysely, rule.id);
  if (resource === undefined) return { tables: [] };
  return askScope(services, resource.hidden.editor, rule, text, from, end, signal);
}

async function askScope(
  { database, access, logs }: RuleServices,
  editor: AccessPrincipal,
  { scope }: Rule,
  text: string,
  from: number,
  end: number,
  signal: AbortSignal,
): Promise<RuleAnswer> {
  const finder = workspacesFor({ database, access }, editor, { isService: true });
  const isWorkspace = /\/providers\/microsoft\.operationalinsights\/workspaces\/[^/]+$/i.test(scope);
  const workspaces = isWorkspace ? [await finder.lookUp(scope)] : await finder.ofResource(scope);
  const slice = { from, to: end, ...(isWorkspace ? {} : { resource: idKey(scope) }) };
  return logs.query({ text, workspaces, slice, now: end }, finder.lookUp, signal);
}
