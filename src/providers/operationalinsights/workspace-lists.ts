// What clients also ask of a workspace: the columns of all its tables in one list, and lists that are
// empty here, where no agents report and no solutions are installed.

import { ok, param, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { getResource } from "../../arm/resources/resource-store.ts";
import type { Route } from "../../arm/routes.ts";
import { logTables } from "../../logs/schema/tables.ts";
import type { LogServices } from "./services.ts";
import { workspacePath, type Workspace, type WorkspaceProperties } from "./workspace.ts";

export const workspaceListTypes = ["schema", "usages", "managementGroups", "intelligencePacks"].map(
  (name) => `workspaces/${name}`,
);

export function workspaceListRoutes({ database, logs }: LogServices): Route[] {
  const workspaceOf = (request: ArmRequest): Promise<Workspace> =>
    getResource<WorkspaceProperties>(
      database.kysely,
      `/subscriptions/${param(request, "subscriptionId")}/resourceGroups/${param(request, "resourceGroup")}/providers/Microsoft.OperationalInsights/workspaces/${param(request, "name")}`,
    );

  const schema = async (request: ArmRequest): Promise<ArmReply> => {
    const { properties } = await workspaceOf(request);
    const byName = new Map<string, string>();
    for (const { name } of logTables) {
      for (const column of await logs.columnsOf(properties.customerId, name)) byName.set(column.name, column.type);
    }
    const value = [...byName].sort(([a], [b]) => (a < b ? -1 : 1));
    return ok({
      metadata: { resultType: "schema", requestId: request.requestId },
      value: value.map(([name, type]) => ({
        name,
        displayName: name,
        type,
        indexed: true,
        stored: true,
        facet: false,
        ownerType: ["LogManagement"],
      })),
    });
  };

  const empty = (name: string, list: object): Route => ({
    method: "GET",
    path: `${workspacePath}/${name}`,
    handle: async (request) => {
      await workspaceOf(request);
      return ok(list);
    },
  });

  return [
    {
      method: "POST",
      path: `${workspacePath}/schema`,
      action: "Microsoft.OperationalInsights/workspaces/schema/read",
      effect: "read",
      handle: schema,
    },
    empty("usages", { value: [] }),
    empty("managementGroups", { value: [] }),
    empty("intelligencePacks", []),
  ];
}
