// /directoryObjects: objects of whatever type, by id.

import { z } from "zod";
import { findPrincipals, groupsOf, type PrincipalSummary } from "../directory/principals.ts";
import type { Reading } from "../database.ts";
import { notFound, readBody, type GraphContext, type GraphService } from "./exchange.ts";
import type { GraphApp } from "./routes.ts";
import { renderStub } from "./shapes.ts";

const idsBody = z.object({
  ids: z.array(z.string().max(100)).max(1000),
  types: z.array(z.string().max(60)).max(20).nullish(),
});
const groupsBody = z.object({ groupIds: z.array(z.string().max(100)).max(20) });

export function directoryObjectRoutes(app: GraphApp, service: GraphService): void {
  const { database } = service;

  const find = async (reading: Reading, context: GraphContext): Promise<PrincipalSummary> => {
    const id = context.req.param("id") ?? "";
    const [found] = await findPrincipals(reading, [id]);
    if (found === undefined || found.tenantId !== context.get("caller").tenantId) throw notFound(id);
    return found;
  };

  app.post("/directoryObjects/getByIds", async (context) => {
    const { ids, types } = await readBody(context, idsBody);
    const wanted = (types ?? []).map((type) => type.toLowerCase());
    const isWanted = ({ type }: PrincipalSummary): boolean =>
      wanted.length === 0 || wanted.includes(type.toLowerCase()) || wanted.includes("directoryobject");
    const { tenantId } = context.get("caller");
    const found = (await findPrincipals(database.kysely, ids)).filter((principal) => principal.tenantId === tenantId);
    return context.json({ value: found.filter(isWanted).map(renderStub) });
  });

  app.get("/directoryObjects/:id", async (context) => context.json(renderStub(await find(database.kysely, context))));

  app.post("/directoryObjects/:id/checkMemberGroups", async (context) => {
    const { groupIds } = await readBody(context, groupsBody);
    const { id } = await find(database.kysely, context);
    const memberOf = new Set(await groupsOf(database.kysely, id));
    return context.json({ value: groupIds.filter((groupId) => memberOf.has(groupId.toLowerCase())) });
  });

  for (const name of ["getMemberGroups", "getMemberObjects"]) {
    app.post(`/directoryObjects/:id/${name}`, async (context) => {
      const { id } = await find(database.kysely, context);
      return context.json({ value: await groupsOf(database.kysely, id) });
    });
  }
}
