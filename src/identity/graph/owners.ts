// Owners of applications, service principals and groups.

import type { Reading } from "../database.ts";
import { addOwner, ownersOf, removeOwner } from "../directory/groups.ts";
import { findPrincipals } from "../directory/principals.ts";
import { change, notFound, type GraphContext, type GraphService } from "./exchange.ts";
import { readReference } from "./references.ts";
import type { GraphApp } from "./routes.ts";
import { renderStub } from "./shapes.ts";

export function ownerRoutes(
  app: GraphApp,
  service: GraphService,
  path: string,
  find: (reading: Reading, context: GraphContext) => Promise<{ readonly id: string }>,
): void {
  const { database } = service;

  app.get(`${path}/owners`, async (context) => {
    const { id } = await find(database.kysely, context);
    const owners = await findPrincipals(database.kysely, await ownersOf(database.kysely, id));
    return context.json({ value: owners.map(renderStub) });
  });

  app.post(`${path}/owners/$ref`, async (context) => {
    const ownerId = await readReference(context);
    await change(service, context, async (trx) => {
      const { id } = await find(trx, context);
      const [owner] = await findPrincipals(trx, [ownerId]);
      if (owner === undefined || owner.tenantId !== context.get("caller").tenantId) throw notFound(ownerId);
      await addOwner(trx, id, owner.id);
    });
    return context.body(null, 204);
  });

  app.delete(`${path}/owners/:other/$ref`, async (context) => {
    const other = context.req.param("other") ?? "";
    await change(service, context, async (trx) => {
      if (!(await removeOwner(trx, (await find(trx, context)).id, other))) throw notFound(other);
    });
    return context.body(null, 204);
  });
}
