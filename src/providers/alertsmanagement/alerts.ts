// Microsoft.AlertsManagement/alerts: at a subscription, and (as newer clients ask) at a group or resource.

import { z } from "zod";
import { armErrors } from "../../arm/errors.ts";
import type { Provider } from "../../arm/provider.ts";
import { ok, param, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { idKey } from "../../arm/resource-id.ts";
import { alertStates, conditions, severities, type Alert } from "../../monitor/alert.ts";
import { changeAlertState, getAlert, historyOf, listAlerts } from "../../monitor/alerts.ts";
import { monitorErrors } from "../../monitor/errors.ts";
import type { Services } from "../services.ts";
import { fieldOf, inOrder, matches, timeRangeOf } from "./filter-alerts.ts";
import { alertType, renderAlert, renderHistory } from "./render-alert.ts";

const namespace = "Microsoft.AlertsManagement";
const apiVersions = ["2025-05-25-preview", "2023-07-12-preview", "2019-05-05-preview", "2019-03-01", "2018-05-05"];
const largestPage = 250;

export function alertsProvider({ database, paging }: Services): Provider {
  const scopeOf = (request: ArmRequest): string => request.params["scope"] ?? "";
  const findAll = async (request: ArmRequest): Promise<Alert[]> => {
    const scope = scopeOf(request);
    const subscriptionId = /^\/subscriptions\/([^/]+)/i.exec(scope)?.[1] ?? "";
    const found = await listAlerts(database.kysely, { subscriptionId, ...timeRangeOf(request, database.clock.now()) });
    const isWanted = matches(request);
    return found.filter((alert) => isBelow(alert, scope) && isWanted(alert));
  };

  const list = async (request: ArmRequest): Promise<ArmReply> => {
    const scope = scopeOf(request);
    const asked = Number(request.query.get("pageCount") ?? largestPage);
    if (!Number.isInteger(asked) || asked < 1 || asked > largestPage)
      throw armErrors.BadRequest(`pageCount must be 1 to ${largestPage}.`, { target: "pageCount" });
    const includeContext = request.query.get("includeContext")?.toLowerCase() === "true";
    const alerts = inOrder(request, await findAll(request));
    const page = { ...paging.read(request), limit: asked };
    const start = page.after === undefined ? 0 : alerts.findIndex(({ id }) => id === page.after) + 1;
    const rows = alerts.slice(start, start + page.limit + 1);
    return paging.reply(
      request,
      page,
      rows,
      ({ id }) => id,
      (alert) => renderAlert(scope, alert, includeContext),
    );
  };

  const one = async (request: ArmRequest): Promise<Alert> => {
    const alert = await getAlert(database.kysely, param(request, "alertId"));
    // What is not below the scope is not there, whoever guesses its id.
    if (!isBelow(alert, scopeOf(request)))
      throw monitorErrors.AlertNotFound(`There is no alert '${alert.id}' at '${scopeOf(request)}'.`);
    return alert;
  };

  const change = async (request: ArmRequest): Promise<ArmReply> => {
    const wanted = (request.query.get("newState") ?? "").toLowerCase();
    const state = alertStates.find((known) => known.toLowerCase() === wanted);
    if (state === undefined)
      throw armErrors.BadRequest(`newState '${wanted.slice(0, 100)}' is not one of ${alertStates.join(", ")}.`, {
        target: "newState",
      });
    const { id } = await one(request);
    const { caller, correlationId } = request;
    const by = { name: caller.name, actor: caller.principalId, correlationId };
    const changed = await database.transaction((trx) => changeAlertState(trx, id, state, by, commentIn(request.body)));
    return ok(renderAlert(scopeOf(request), changed, true));
  };

  const summary = async (request: ArmRequest): Promise<ArmReply> => {
    const fields = (request.query.get("groupby") ?? "severity").split(",").map((field) => field.trim());
    for (const field of fields) {
      if (!Object.hasOwn(groupValues, field))
        throw armErrors.BadRequest(
          `groupby '${field.slice(0, 100)}' is not one of ${Object.keys(groupValues).join(", ")}.`,
          {
            target: "groupby",
          },
        );
    }
    const alerts = await findAll(request);
    const id = `${scopeOf(request)}/providers/${namespace}/alertsSummary/current`;
    return ok({
      id,
      name: "current",
      type: `${namespace}/alertsSummary`,
      properties: { groupedby: fields[0], total: alerts.length, smartGroupsCount: 0, values: grouped(alerts, fields) },
    });
  };

  const collection = `{scope}/providers/${alertType}`;
  return {
    namespace,
    resourceTypes: [
      { name: "alerts", apiVersions, isGlobal: true },
      { name: "alertsSummary", apiVersions, isGlobal: true },
      { name: "alertsMetaData", apiVersions, isGlobal: true },
    ],
    routes: [
      { method: "GET", path: collection, handle: list },
      {
        method: "GET",
        path: `${collection}/{alertId}`,
        handle: async (request) => ok(renderAlert(scopeOf(request), await one(request), true)),
      },
      {
        method: "GET",
        path: `${collection}/{alertId}/history`,
        action: `${alertType}/history/read`,
        handle: async (request) => {
          const { id } = await one(request);
          return ok(renderHistory(scopeOf(request), id, await historyOf(database.kysely, id)));
        },
      },
      {
        method: "POST",
        path: `${collection}/{alertId}/changestate`,
        action: `${alertType}/changestate/action`,
        effect: "read",
        handle: change,
      },
      { method: "GET", path: `{scope}/providers/${namespace}/alertsSummary`, handle: summary },
      {
        method: "GET",
        path: `/providers/${namespace}/alertsMetaData`,
        action: "",
        handle: async () =>
          ok({
            properties: {
              metadataIdentifier: "MonitorServiceList",
              data: monitorServices.map((name) => ({ name, displayName: name })),
            },
          }),
      },
    ],
  };
}

const monitorServices = ["Azure Backup", "Log Alerts V2", "Log Analytics"];

const groupValues: Readonly<Record<string, readonly string[]>> = {
  severity: severities,
  alertState: alertStates,
  monitorCondition: conditions,
  monitorService: monitorServices,
  signalType: ["Metric", "Log", "Unknown"],
  alertRule: [],
};

/** One level for each field, with the values that nobody has. */
function grouped(alerts: readonly Alert[], [field, ...rest]: readonly string[]): object[] {
  if (field === undefined) return [];
  const groups = Map.groupBy(alerts, (alert) => fieldOf(alert, field) ?? "");
  const names = new Set([...(groupValues[field] ?? []), ...groups.keys()]);
  return [...names].map((name) => {
    const members = groups.get(name) ?? [];
    const [next] = rest;
    return {
      name,
      count: members.length,
      ...(next === undefined ? {} : { groupedby: next, values: grouped(members, rest) }),
    };
  });
}

function isBelow({ target }: Alert, scope: string): boolean {
  const key = idKey(scope);
  const targetKey = idKey(target);
  return targetKey === key || targetKey.startsWith(`${key}/`);
}

/** Older clients send `{comments}`, newer ones `{comment}`, some a bare text. */
function commentIn(body: unknown): string | undefined {
  const text = z.string().max(4096);
  const parsed = z
    .union([
      text,
      z.object({ comments: text }).transform(({ comments }) => comments),
      z.object({ comment: text }).transform(({ comment }) => comment),
    ])
    .safeParse(body);
  return parsed.data;
}
