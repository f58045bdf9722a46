// Moving resources to another group: ids are what everything here hangs on, so no type can be moved, and
// both calls say so as Azure does of types that cannot.

import { z } from "zod";
import { getGroup } from "../../arm/groups.ts";
import { param, parseBody, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { parseResourceId } from "../../arm/resource-id.ts";
import { getResource } from "../../arm/resources/resource-store.ts";
import type { Route } from "../../arm/routes.ts";
import { defineErrors } from "../../lib/errors.ts";
import type { Services } from "../services.ts";

const errors = defineErrors({
  InvalidResourceMoveRequest: { status: 400 },
  ResourceMoveNotSupported: { status: 409 },
});

const bodySchema = z.object({
  resources: z.array(z.string().startsWith("/").max(1024)).min(1).max(800),
  targetResourceGroup: z
    .string()
    .regex(/^\/subscriptions\/[^/]+\/resourceGroups\/[^/]+\/?$/i, "must be the id of a resource group"),
});

export function moveRoutes({ database }: Services): Route[] {
  const refuse = async (request: ArmRequest): Promise<ArmReply> => {
    const { resources, targetResourceGroup } = parseBody(request, bodySchema);
    const source = await getGroup(database.kysely, param(request, "subscriptionId"), param(request, "resourceGroup"));
    const [, , subscription = "", , group = ""] = targetResourceGroup.split("/");
    await getGroup(database.kysely, subscription, group);
    const types = new Set<string>();
    for (const id of resources) {
      const { type, resourceGroup } = parseResourceId(id);
      if (resourceGroup?.toLowerCase() !== source.name.toLowerCase())
        throw errors.InvalidResourceMoveRequest(
          `The resource '${id}' is not in the resource group '${source.name}' from which it shall be moved.`,
          { target: "resources" },
        );
      await getResource(database.kysely, id);
      types.add(type);
    }
    throw errors.ResourceMoveNotSupported(
      `Resource move is not supported for resource types '${[...types].join(", ")}'.`,
      { target: "resources" },
    );
  };
  const group = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}";
  const action = "Microsoft.Resources/subscriptions/resourceGroups";
  return [
    { method: "POST", path: `${group}/moveResources`, action: `${action}/moveResources/action`, handle: refuse },
    {
      method: "POST",
      path: `${group}/validateMoveResources`,
      action: `${action}/validateMoveResources/action`,
      effect: "read",
      handle: refuse,
    },
  ];
}
