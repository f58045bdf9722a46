// `{scope}/providers/Microsoft.Resources/tags/default`: the tags of anything that has tags. Those of a
// subscription stand in a row of their own; all others are the resource's.

import { z } from "zod";
import { armErrors } from "../../arm/errors.ts";
import { ok, param, parseBody, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { findResource, getResource, putResource, type Reader } from "../../arm/resources/resource-store.ts";
import type { Resource } from "../../arm/resources/resource.ts";
import type { Route } from "../../arm/routes.ts";
import type { Services } from "../services.ts";

const tagsBody = z.object({
  operation: z.enum(["Merge", "Replace", "Delete"]).optional(),
  properties: z.object({ tags: z.record(z.string().min(1).max(512), z.string().max(256)).default({}) }),
});

const ownPath = "providers/Microsoft.Resources/tags/default";
const path = `{scope}/${ownPath}`;

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
  const set = async (request: ArmRequest, operation: "Merge" | "Replace" | "Delete", given: Tags): Promise<Tags> => {
    const scope = param(request, "scope");
    return database.transaction(async (trx) => {
      const bearer = await bearerOf(trx, scope);
      const tags = combine[operation](bearer?.envelope.tags ?? {}, given);
      if (Object.keys(tags).length > 50)
        throw armErrors.InvalidParameter(
          `${scope} would have ${Object.keys(tags).length} tags; at most 50 are allowed.`,
          { target: "properties.tags" },
        );
      const row = await trx
        .selectFrom("resources")
        .select("tracked")
        .where("key", "=", bearer?.id.toLowerCase() ?? "")
        .executeTakeFirst();
      const draft = bearer ?? { id: `${scope}/${ownPath}`, properties: {}, envelope: {} };
      await putResource(
        trx,
        { ...draft, envelope: { ...draft.envelope, tags }, tracked: row?.tracked === 1 },
        { caller: request.caller, clock: database.clock },
      );
      return tags;
    });
  };

  const write = async (request: ArmRequest, unlessSaid: "Merge" | "Replace"): Promise<ArmReply> => {
    const body = parseBody(request, tagsBody);
    const tags = await set(request, body.operation ?? unlessSaid, body.properties.tags);
    return ok(render(param(request, "scope"), tags));
  };

  return [
    {
      method: "GET",
      path,
      handle: async (request) => {
        const scope = param(request, "scope");
        return ok(render(scope, (await bearerOf(database.kysely, scope))?.envelope.tags ?? {}));
      },
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

/** Whose envelope holds the tags; a subscription that never had any has none. */
function bearerOf(reader: Reader, scope: string): Promise<Resource | undefined> {
  const isSubscription = /^\/subscriptions\/[^/]+$/i.test(scope);
  return isSubscription ? findResource(reader, `${scope}/${ownPath}`) : getResource(reader, scope);
}

function render(scope: string, tags: Tags): Record<string, unknown> {
  return {
    id: `${scope}/${ownPath}`,
    name: "default",
    type: "Microsoft.Resources/tags",
    properties: { tags },
  };
}
