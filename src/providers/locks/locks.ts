// Microsoft.Authorization/locks: `az lock create/list/show/delete`. What a lock forbids is checked
// by the dispatcher (arm/locks.ts).

import { z } from "zod";
import { armErrors } from "../../arm/errors.ts";
import { lockType, type LockProperties } from "../../arm/locks.ts";
import type { Provider } from "../../arm/provider.ts";
import { noContent, ok, param, parseBody, type ArmReply, type ArmRequest, type Draft } from "../../arm/request.ts";
import { enclosingScopes, idKey } from "../../arm/resource-id.ts";
import {
  deleteResource,
  findResource,
  getResource,
  putResource,
  resourceNotFound,
} from "../../arm/resources/resource-store.ts";
import { fromRow, type Resource } from "../../arm/resources/resource.ts";
import type { Services } from "../services.ts";

const collection = `{scope}/providers/${lockType}`;
const one = `${collection}/{name}`;

const lockSchema = z.object({
  properties: z.object({
    level: z.enum(["CanNotDelete", "ReadOnly"], { error: "must be CanNotDelete or ReadOnly" }),
    notes: z.string().max(512).nullish(),
    owners: z.array(z.object({ applicationId: z.string() })).nullish(),
  }),
});

export function locksProvider({ database }: Services): Provider {
  const asked = (draft: Draft) => {
    const { properties } = parseBody(draft, lockSchema);
    const name = param(draft, "name");
    if (!/^[^<>%&\\?/#]{1,260}$/.test(name)) {
      throw armErrors.InvalidResourceName(`'${name}' is not a lock name.`, { target: "lockName" });
    }
    return properties;
  };

  const put = async (request: ArmRequest): Promise<ArmReply> => {
    const properties = asked(request);
    const scope = param(request, "scope");
    const { resource, created } = await database.transaction(async (trx) => {
      const isSubscription = /^\/subscriptions\/[^/]+$/i.test(scope);
      if (!isSubscription && (await findResource(trx, scope)) === undefined) throw resourceNotFound(scope);
      const kept: LockProperties = {
        level: properties.level,
        ...(properties.notes ? { notes: properties.notes } : {}),
        ...(properties.owners ? { owners: properties.owners } : {}),
      };
      return putResource(
        trx,
        { id: request.resourceId, properties: kept },
        { caller: request.caller, clock: database.clock },
      );
    });
    return { status: created ? 201 : 200, body: render(resource) };
  };

  const list = async (request: ArmRequest): Promise<ArmReply> => {
    const scope = param(request, "scope");
    const atScope = /atScope\(\)/i.test(request.query.get("$filter") ?? "");
    const key = idKey(scope);
    const above = enclosingScopes(scope).map(idKey);
    const rows = await database.kysely
      .selectFrom("resources")
      .selectAll()
      .where("type_key", "=", lockType.toLowerCase())
      .where((where) =>
        where.or([
          where("parent_key", "in", above),
          ...(atScope ? [] : [where.and([where("key", ">", `${key}/`), where("key", "<", `${key}0`)])]),
        ]),
      )
      .orderBy("key")
      .execute();
    return ok({ value: rows.map((row) => render(fromRow(row))) });
  };

  const remove = async (request: ArmRequest): Promise<ArmReply> => {
    const deleted = await database.transaction((trx) => deleteResource(trx, request.resourceId));
    return deleted ? { status: 200 } : noContent();
  };

  return {
    namespace: "Microsoft.Authorization",
    resourceTypes: [{ name: "locks", apiVersions: ["2020-05-01", "2017-04-01", "2016-09-01"], isGlobal: true }],
    routes: [
      { method: "GET", path: collection, handle: list },
      {
        method: "GET",
        path: one,
        handle: async (request) => ok(render(await getResource(database.kysely, request.resourceId))),
      },
      { method: "PUT", path: one, handle: put, check: asked },
      { method: "DELETE", path: one, handle: remove },
    ],
  };
}

function render(lock: Resource): Record<string, unknown> {
  return { id: lock.id, name: lock.name, type: lockType, properties: lock.properties, systemData: lock.systemData };
}
