// `{scope}/providers/Microsoft.Resources/tags/default`: the tags of anything that has tags.

import { z } from "zod";
import { armErrors } from "../../arm/errors.ts";
import { ok, param, parseBody, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { getResource, putResource } from "../../arm/resources/resource-store.ts";
import type { Resource } from "../../arm/resources/resource.ts";
import type { Route } from "../../arm/routes.ts";
import type { Services } from "../services.ts";

const tagsBody = z.object({
  operation: z.enum(["Merge", "Replace", "Delete"]).optional(),
  properties: z.object({ tags: z.record(z.string().min(1).max(512), z.string().max(256)).default({}) }),
});

const path = "{scope}/providers/Microsoft.Resources/tags/default";

type Tags = Readonly<Record<string, string>>;

const combine: Readonly<Record<"Merge" | "Replace" | "Delete", (old: Tags, given: Tags) => Tags>> = {
  Merge: (old, given) => ({ ...old, ...given }),
  Replace: (_old, given) => given,
  Delete: (old, given) =>
    Object.fromEntries(
      Object.entries(old).filter(([name, value]) => !(name in given && (given[name] === "" || given[name] === value))),
    ),
};

export function tagRoutes({ database }: Services): Route[] {
  const set = async (
    request: ArmRequest,
    operation: "Merge" | "Replace" | "Delete",
    given: Tags,
  ): Promise<Resource> => {
    return database.transaction(async (trx) => {
      const resource = await getResource(trx, param(request, "scope"));
      const tags = combine[operation](resource.envelope.tags ?? {}, given);
      if (Object.keys(tags).length > 50)
        throw armErrors.InvalidParameter(
          `${resource.id} would have ${Object.keys(tags).length} tags; at most 50 are allowed.`,
          { target: "properties.tags" },
        );
      const row = await trx
        .selectFrom("resources")
        .select("tracked")
        .where("key", "=", resource.id.toLowerCase())
        .executeTakeFirstOrThrow();
      const { resource: changed } = await putResource(
        trx,
        { ...resource, envelope: { ...resource.envelope, tags }, tracked: row.tracked === 1 },
        { caller: request.caller, clock: database.clock },
      );
      return changed;
    });
  };

  const write = async (request: ArmRequest, unlessSaid: "Merge" | "Replace"): Promise<ArmReply> => {
    const body = parseBody(request, tagsBody);
    return ok(render(await set(request, body.operation ?? unlessSaid, body.properties.tags)));
  };

  return [
    {
      method: "GET",
      path,
      handle: async (request) => ok(render(await getResource(database.kysely, param(request, "scope")))),
    },
    { method: "PUT", path, handle: (request) => write(request, "Replace") },
    { method: "PATCH", path, handle: (request) => write(request, "Merge") },
    {
      method: "DELETE",
      path,
      handle: async (request) => {
        await set(request, "Replace", {});
        return { status: 200 };
      },
    },
  ];
}

function render(resource: Resource): Record<string, unknown> {
  return {
    id: `${resource.id}/providers/Microsoft.Resources/tags/default`,
    name: "default",
    type: "Microsoft.Resources/tags",
    properties: { tags: resource.envelope.tags ?? {} },
  };
}
