// The tables of a workspace: their columns, and for how long each keeps its rows.

import { z } from "zod";
import { idKey } from "../../arm/resource-id.ts";
import { ok, param, parseBody, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import {
  findResource,
  getResource,
  listResources,
  putResource,
  resourceNotFound,
  type Reader,
} from "../../arm/resources/resource-store.ts";
import type { Route } from "../../arm/routes.ts";
import { logTables } from "../../logs/schema/tables.ts";
import type { LogTable } from "../../logs/schema/log-table.ts";
import type { Retention, WorkspaceRetention } from "../../logs/store/retention.ts";
import { deletedRetention } from "./deleted-workspaces.ts";
import type { LogServices } from "./services.ts";
import { listWorkspaces, workspacePath, type Workspace, type WorkspaceProperties } from "./workspace.ts";

const type = "Microsoft.OperationalInsights/workspaces/tables";

const days = z.number().int().min(4).max(730).or(z.literal(-1)).nullish();
const bodySchema = z.object({
  properties: z.object({
    retentionInDays: days,
    totalRetentionInDays: z.number().int().min(-1).max(4383).nullish(),
    plan: z.enum(["Analytics", "Basic"]).nullish(),
  }),
});

interface TableSettings {
  readonly retentionInDays?: number;
  readonly totalRetentionInDays?: number;
}

export function tableRoutes({ database, logs }: LogServices): Route[] {
  const idOf = (workspace: Workspace, table: string): string => `${workspace.id}/tables/${table}`;
  const workspaceOf = (request: ArmRequest): Promise<Workspace> =>
    getResource<WorkspaceProperties>(
      database.kysely,
      request.path.slice(0, request.path.toLowerCase().lastIndexOf("/tables")),
    );

  const render = async (workspace: Workspace, { name }: LogTable, settings: TableSettings): Promise<object> => {
    const columns = await logs.columnsOf(workspace.properties.customerId, name);
    const retentionInDays = settings.retentionInDays ?? workspace.properties.retentionInDays;
    return {
      id: idOf(workspace, name),
      name,
      type,
      properties: {
        plan: "Analytics",
        retentionInDays,
        totalRetentionInDays: Math.max(settings.totalRetentionInDays ?? 0, retentionInDays),
        retentionInDaysAsDefault: settings.retentionInDays === undefined,
        totalRetentionInDaysAsDefault: settings.totalRetentionInDays === undefined,
        provisioningState: "Succeeded",
        schema: {
          name,
          tableType: "Microsoft",
          tableSubType: name === "AzureDiagnostics" ? "Classic" : "DataCollectionRuleBased",
          solutions: ["LogManagement"],
          standardColumns: columns.map((column) => ({
            name: column.name,
            type: column.type === "datetime" ? "dateTime" : column.type,
            isDefaultDisplay: true,
            isHidden: false,
          })),
        },
      },
    };
  };

  const settingsOf = async (workspace: Workspace, table: string): Promise<TableSettings> =>
    (await findResource<TableSettings>(database.kysely, idOf(workspace, table)))?.properties ?? {};

  const tableOf = (request: ArmRequest): LogTable => {
    const wanted = param(request, "table").toLowerCase();
    const table = logTables.find(({ name }) => name.toLowerCase() === wanted);
    if (table === undefined) throw resourceNotFound(request.resourceId);
    return table;
  };

  const read = async (request: ArmRequest): Promise<ArmReply> => {
    const workspace = await workspaceOf(request);
    const table = tableOf(request);
    return ok(await render(workspace, table, await settingsOf(workspace, table.name)));
  };

  const change = async (request: ArmRequest): Promise<ArmReply> => {
    const workspace = await workspaceOf(request);
    const table = tableOf(request);
    const { properties } = parseBody(request, bodySchema);
    const before = request.method === "PATCH" ? await settingsOf(workspace, table.name) : {};
    const merged = Object.entries({ ...before, ...properties }).filter(
      ([name, value]) => name !== "plan" && value !== null && value !== -1,
    );
    const settings: TableSettings = Object.fromEntries(merged);
    await database.transaction((trx) =>
      putResource(
        trx,
        { id: idOf(workspace, table.name), properties: settings },
        { caller: request.caller, clock: database.clock },
      ),
    );
    return ok(await render(workspace, table, settings));
  };

  const one = `${workspacePath}/tables/{table}`;
  return [
    {
      method: "GET",
      path: `${workspacePath}/tables`,
      handle: async (request) => {
        const workspace = await workspaceOf(request);
        return ok({
          value: await Promise.all(
            logTables.map(async (table) => render(workspace, table, await settingsOf(workspace, table.name))),
          ),
        });
      },
    },
    { method: "GET", path: one, handle: read },
    { method: "PUT", path: one, handle: change, check: (draft) => parseBody(draft, bodySchema) },
    { method: "PATCH", path: one, handle: change },
  ];
}

/** For how many days each table of each workspace keeps its rows. */
export async function retentionOf(reader: Reader, now: number): Promise<Retention> {
  const own = await listResources<TableSettings>(reader, { type });
  const workspaces = (await listWorkspaces(reader)).map(({ id, properties }): [string, WorkspaceRetention] => {
    const prefix = `${idKey(id)}/tables/`;
    const tables = own.flatMap((table): [string, number][] =>
      idKey(table.id).startsWith(prefix) && table.properties.retentionInDays !== undefined
        ? [[table.name, table.properties.retentionInDays]]
        : [],
    );
    return [properties.customerId, { resourceId: id, days: properties.retentionInDays, tables: new Map(tables) }];
  });
  const deleted = (await deletedRetention(reader, now)).map(([customerId, days]): [string, WorkspaceRetention] => [
    customerId,
    { days, tables: new Map() },
  ]);
  return { workspaces: new Map([...deleted, ...workspaces]) };
}
