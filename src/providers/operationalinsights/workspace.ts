// A workspace as queries and routes find it: by customer id, by resource id or by name.

import { idKey } from "../../arm/resource-id.ts";
import { listResources, type Reader } from "../../arm/resources/resource-store.ts";
import type { Resource } from "../../arm/resources/resource.ts";
import type { AccessPrincipal } from "../../identity/access/access.ts";
import { defineErrors } from "../../lib/errors.ts";
import type { QueryWorkspace } from "../../logs/query/log-queries.ts";
import type { Services } from "../services.ts";
import { functionsOf } from "./saved-searches.ts";

export const namespace = "Microsoft.OperationalInsights";
export const workspaceType = "workspaces";
export const workspacePath = `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/${namespace}/workspaces/{name}`;

export interface WorkspaceProperties {
  readonly customerId: string;
  readonly retentionInDays: number;
}

export type Workspace = Resource<WorkspaceProperties>;

const errors = defineErrors({
  PathNotFoundError: { status: 404 },
  InsufficientAccessError: { status: 403, remedy: "Ask for the role Log Analytics Reader on the workspace." },
});

export function listWorkspaces(reader: Reader): Promise<Workspace[]> {
  return listResources<WorkspaceProperties>(reader, { type: `${namespace}/${workspaceType}` });
}

/** Finds workspaces for one caller, who must be allowed to query each. */
export function workspaceLookUp(
  { database, access }: Pick<Services, "database" | "access">,
  caller: AccessPrincipal,
): (idOrName: string) => Promise<QueryWorkspace> {
  return async (idOrName) => {
    const wanted = idOrName.startsWith("/") ? idKey(idOrName) : idOrName.toLowerCase();
    const found = (await listWorkspaces(database.kysely)).filter(
      ({ id, name, properties }) =>
        properties.customerId === wanted || idKey(id) === wanted || name.toLowerCase() === wanted,
    );
    const grants = await access.grantsOf(caller.objectId);
    const allowed = found.filter(({ id }) => grants.allows(`${namespace}/workspaces/query/read`, id));
    const [workspace] = allowed;
    if (workspace === undefined) {
      if (found.length === 0) throw errors.PathNotFoundError(`There is no workspace '${idOrName.slice(0, 300)}'.`);
      throw errors.InsufficientAccessError(
        `The caller '${caller.name}' may not query the workspace '${idOrName.slice(0, 300)}'.`,
      );
    }
    if (allowed.length > 1)
      throw errors.PathNotFoundError(`Several workspaces are called '${idOrName.slice(0, 300)}': name one by its id.`);
    const functions = await functionsOf(database.kysely, workspace.id);
    return { customerId: workspace.properties.customerId, name: workspace.name, functions };
  };
}
