// A workspace as queries and routes find it: by customer id, by resource id or by name.

import { enclosingScopes, idKey } from "../../arm/resource-id.ts";
import { findResource, listResources, type Reader } from "../../arm/resources/resource-store.ts";
import { isPublic } from "../../arm/resources/network-access.ts";
import type { Resource } from "../../arm/resources/resource.ts";
import type { AccessPrincipal } from "../../identity/access/access.ts";
import type { Grants } from "../../identity/access/grants.ts";
import { defineErrors } from "../../lib/errors.ts";
import type { QueryWorkspace } from "../../logs/query/query-workspace.ts";
import { logTables } from "../../logs/schema/tables.ts";
import { diagnosticSettingsBelow, diagnosticSettingsOf } from "../insights/settings-of-resource.ts";
import type { Services } from "../services.ts";
import { functionsOf } from "./saved-searches.ts";

export const namespace = "Microsoft.OperationalInsights";
export const workspaceType = "workspaces";
export const workspacePath = `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/${namespace}/workspaces/{name}`;

export interface WorkspaceProperties {
  readonly customerId: string;
  readonly retentionInDays: number;
  readonly publicNetworkAccessForQuery?: "Enabled" | "Disabled" | "SecuredByPerimeter";
}

export type Workspace = Resource<WorkspaceProperties>;

const errors = defineErrors({
  PathNotFoundError: { status: 404 },
  InsufficientAccessError: { status: 403, remedy: "Ask for the role Log Analytics Reader on the workspace." },
});

export function listWorkspaces(reader: Reader): Promise<Workspace[]> {
  return listResources<WorkspaceProperties>(reader, { type: `${namespace}/${workspaceType}` });
}

export interface WorkspaceFinder {
  /** By customer id, resource id or name; the caller must be allowed to query it. */
  lookUp(idOrName: string): Promise<QueryWorkspace>;
  /** Where a resource logs to. Whoever may read the resource's logs needs nothing on the workspaces. */
  ofResource(resourceId: string): Promise<readonly QueryWorkspace[]>;
}

export function workspacesFor(
  { database, access }: Pick<Services, "database" | "access">,
  caller: AccessPrincipal,
  { isService = false }: { /** Nobody outside asks. */ readonly isService?: boolean } = {},
): WorkspaceFinder {
  const reader = database.kysely;
  const refuseClosed = ({ name, properties }: Workspace): void => {
    if (isService || isPublic(properties.publicNetworkAccessForQuery)) return;
    throw errors.InsufficientAccessError(`The workspace '${name}' is closed to queries from public networks.`, {
      remedy: "Set its publicNetworkAccessForQuery to Enabled.",
    });
  };
  return {
    lookUp: async (idOrName) => {
      const shown = idOrName.slice(0, 300);
      const found = await findWorkspaces(reader, idOrName);
      const grants = await access.grantsOf(caller.objectId);
      const allowed = found.filter(({ id }) => grants.allows(`${namespace}/workspaces/query/read`, id));
      const [workspace] = allowed;
      if (workspace === undefined) {
        if (found.length === 0) throw errors.PathNotFoundError(`There is no workspace '${shown}'.`);
        throw errors.InsufficientAccessError(`The caller '${caller.name}' may not query the workspace '${shown}'.`);
      }
      if (allowed.length > 1)
        throw errors.PathNotFoundError(`Several workspaces are called '${shown}': name one by its id.`);
      refuseClosed(workspace);
      return describe(
        reader,
        workspace,
        (table) => `${namespace}/workspaces/query/${table}/read`,
        workspace.id,
        grants,
      );
    },
    ofResource: async (resourceId) => {
      const grants = await access.grantsOf(caller.objectId);
      const isReadable = logTables.some(({ name }) => grants.allows(logsRead(name), resourceId));
      if (!isReadable) {
        throw errors.InsufficientAccessError(
          `The caller '${caller.name}' may not read the logs of '${resourceId.slice(0, 300)}'.`,
        );
      }
      // What stands above a resource logs of it too: a subscription its activity. A group logs where its resources do.
      const above = enclosingScopes(resourceId).map((scope) => diagnosticSettingsOf(reader, scope));
      const settings = (await Promise.all([...above, diagnosticSettingsBelow(reader, resourceId)])).flat();
      const ids = new Set(settings.flatMap(({ properties }) => properties.workspaceId?.toLowerCase() ?? []));
      const workspaces = await Promise.all([...ids].map((id) => findResource<WorkspaceProperties>(reader, id)));
      if (ids.size === 0) {
        throw errors.PathNotFoundError(
          `'${resourceId.slice(0, 300)}' has no diagnostic setting that names a workspace.`,
        );
      }
      const present = workspaces.filter((workspace) => workspace !== undefined);
      present.forEach(refuseClosed);
      return Promise.all(present.map((workspace) => describe(reader, workspace, logsRead, resourceId, grants)));
    },
  };
}

const logsRead = (table: string): string => `Microsoft.Insights/logs/${table}/read`;

async function describe(
  reader: Reader,
  { id, name, location, properties }: Workspace,
  action: (table: string) => string,
  scope: string,
  grants: Grants,
): Promise<QueryWorkspace> {
  const tables = logTables.map((table) => table.name);
  const readable = tables.filter((table) => grants.allows(action(table), scope));
  return {
    customerId: properties.customerId,
    id,
    name,
    location: location ?? "",
    functions: await functionsOf(reader, id),
    ...(readable.length === tables.length ? {} : { tables: readable }),
  };
}

async function findWorkspaces(reader: Reader, idOrName: string): Promise<Workspace[]> {
  if (idOrName.startsWith("/")) {
    const found = await findResource<WorkspaceProperties>(reader, idOrName);
    return found?.type.toLowerCase() === `${namespace}/${workspaceType}`.toLowerCase() ? [found] : [];
  }
  const wanted = idKey(idOrName);
  return (await listWorkspaces(reader)).filter(
    ({ name, properties }) => properties.customerId === wanted || name.toLowerCase() === wanted,
  );
}
