// /groups: `az ad group …`.

import { z } from "zod";
import type { Reading } from "../database.ts";
import {
  addMember,
  createGroup,
  deleteGroup,
  directMembers,
  findGroup,
  listGroups,
  removeMember,
  type Group,
} from "../directory/groups.ts";
import { findPrincipals, groupsOf } from "../directory/principals.ts";
import { directoryErrors } from "../errors.ts";
import { change, notFound, page, readBody, type GraphContext, type GraphService } from "./exchange.ts";
import { parseGraphFilter } from "./filter.ts";
import { ownerRoutes } from "./owners.ts";
import { readReference } from "./references.ts";
import type { GraphApp } from "./routes.ts";
import { renderGroup, renderStub } from "./shapes.ts";

const createBody = z.object({
  displayName: z.string().min(1).max(256),
  mailNickname: z.string().min(1).max(64),
  description: z.string().max(1024).nullish(),
  mailEnabled: z.literal(false, "only security groups are possible").optional(),
  securityEnabled: z.literal(true, "only security groups are possible").optional(),
});

export function groupRoutes(app: GraphApp, service: GraphService): void {
  const { database } = service;

  const find = async (reading: Reading, context: GraphContext): Promise<Group> => {
    const id = context.req.param("id") ?? "";
    const group = await findGroup(reading, context.get("caller").tenantId, id);
    if (group === undefined) throw notFound(id);
    return group;
  };

  app.get("/groups", async (context) => {
    const matches = parseGraphFilter<Group>(context.req.query("$filter"), readField);
    const found = (await listGroups(database.kysely, context.get("caller").tenantId)).filter(matches);
    return page(service, context, found, renderGroup);
  });

  app.post("/groups", async (context) => {
    const { displayName, mailNickname, description } = await readBody(context, createBody);
    const { tenantId } = context.get("caller");
    const wanted = { tenantId, displayName, mailNickname, description: description ?? null };
    return context.json(renderGroup(await change(service, context, (trx) => createGroup(trx, wanted))), 201);
  });

  app.get("/groups/:id", async (context) => context.json(renderGroup(await find(database.kysely, context))));

  app.delete("/groups/:id", async (context) => {
    await change(service, context, async (trx) => deleteGroup(trx, await find(trx, context)));
    return context.body(null, 204);
  });

  app.get("/groups/:id/members", async (context) => {
    const { id } = await find(database.kysely, context);
    const members = await findPrincipals(database.kysely, await directMembers(database.kysely, id));
    return context.json({ value: members.map(renderStub) });
  });

  app.post("/groups/:id/members/$ref", async (context) => {
    const memberId = await readReference(context);
    await change(service, context, async (trx) => {
      const group = await find(trx, context);
      const [member] = await findPrincipals(trx, [memberId]);
      if (member === undefined || member.tenantId !== group.tenantId) throw notFound(memberId);
      if (member.id === group.id) {
        throw directoryErrors.Request_BadRequest("A group cannot be a member of itself.", { target: "@odata.id" });
      }
      await addMember(trx, group.id, member.id);
    });
    return context.body(null, 204);
  });

  app.delete("/groups/:id/members/:other/$ref", async (context) => {
    const other = context.req.param("other") ?? "";
    await change(service, context, async (trx) => {
      if (!(await removeMember(trx, (await find(trx, context)).id, other))) throw notFound(other);
    });
    return context.body(null, 204);
  });

  app.post("/groups/:id/getMemberGroups", async (context) => {
    const { id } = await find(database.kysely, context);
    return context.json({ value: await groupsOf(database.kysely, id) });
  });

  ownerRoutes(app, service, "/groups/:id", find);
}

function readField(group: Group, field: string): string | boolean | undefined {
  switch (field.toLowerCase()) {
    case "id":
      return group.id;
    case "displayname":
      return group.displayName;
    case "mailnickname":
      return group.mailNickname;
    case "securityenabled":
      return true;
    case "mailenabled":
      return false;
    default:
      return undefined;
  }
}
