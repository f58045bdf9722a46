// Saved searches; one with an alias is a function that queries of its workspace can call.

import { z } from "zod";
import { noContent, ok, param, parseBody, type ArmRequest } from "../../arm/request.ts";
import {
  deleteResource,
  getResource,
  listResources,
  putResource,
  type Reader,
} from "../../arm/resources/resource-store.ts";
import type { Resource } from "../../arm/resources/resource.ts";
import type { Route } from "../../arm/routes.ts";
import { builtInFunctions } from "../../logs/functions/built-in.ts";
import type { QueryWorkspace } from "../../logs/query/query-workspace.ts";
import type { Services } from "../services.ts";

const type = "Microsoft.OperationalInsights/workspaces/savedSearches";
const collection =
  "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/Microsoft.OperationalInsights/workspaces/{name}/savedSearches";

const identifier = /^[A-Za-z_]\w*$/;

const bodySchema = z.object({
  properties: z.object({
    category: z.string(),
    displayName: z.string(),
    query: z.string().max(64 * 1024),
    functionAlias: z
      .string()
      .max(200)
      .regex(identifier, "must be a name of letters, digits and '_'")
      .or(z.literal(""))
      .nullish(),
    functionParameters: z.string().max(1024).nullish(),
    version: z.number().int().nullish(),
    tags: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
  }),
});

type Search = z.output<typeof bodySchema>["properties"];

export function savedSearchRoutes({ database }: Services): Route[] {
  const parentOf = (request: ArmRequest): string =>
    request.path.slice(0, request.path.toLowerCase().lastIndexOf("/savedsearches"));
  const render = ({ id, name, etag, properties }: Resource<Search>): object => ({ id, name, type, etag, properties });
  const one = `${collection}/{search}`;
  return [
    {
      method: "GET",
      path: collection,
      handle: async (request) => {
        await getResource(database.kysely, parentOf(request));
        return ok({
          value: (await listResources<Search>(database.kysely, { type, parent: parentOf(request) })).map(render),
        });
      },
    },
    {
      method: "GET",
      path: one,
      handle: async (request) => ok(render(await getResource<Search>(database.kysely, request.resourceId))),
    },
    {
      method: "PUT",
      path: one,
      check: (draft) => parseBody(draft, bodySchema),
      handle: async (request) => {
        const { properties } = parseBody(request, bodySchema);
        const resource = await database.transaction(async (trx) => {
          await getResource(trx, parentOf(request));
          const draft = { id: request.resourceId, properties: { version: 2, ...properties } };
          return (await putResource(trx, draft, { caller: request.caller, clock: database.clock })).resource;
        });
        return ok({ ...render(resource as Resource<Search>), name: param(request, "search") });
      },
    },
    {
      method: "DELETE",
      path: one,
      handle: async (request) =>
        (await database.transaction((trx) => deleteResource(trx, request.resourceId))) ? { status: 200 } : noContent(),
    },
  ];
}

export async function functionsOf(reader: Reader, workspaceId: string): Promise<QueryWorkspace["functions"]> {
  const searches = await listResources<Search>(reader, { type, parent: workspaceId });
  const own = searches.flatMap(({ properties: { functionAlias, functionParameters, query } }) =>
    functionAlias === undefined || functionAlias === null || functionAlias === ""
      ? []
      : [{ name: functionAlias, parameters: functionParameters ?? "", body: query }],
  );
  const names = new Set(own.map(({ name }) => name));
  return [...own, ...builtInFunctions.filter(({ name }) => !names.has(name))];
}
