// A deleted workspace can be had back for two weeks: made again with its old name in its old group, it
// has its id, its keys, its functions and its records. What is deleted by force is gone at once.

import { ok, param, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import {
  deleteResource,
  listResources,
  putResource,
  type Reader,
  type Writer,
} from "../../arm/resources/resource-store.ts";
import type { Resource } from "../../arm/resources/resource.ts";
import type { Route } from "../../arm/routes.ts";
import { scopeOf } from "../../db/transaction.ts";
import { isoTime } from "../../lib/clock.ts";
import type { Services } from "../services.ts";
import { namespace, type WorkspaceProperties } from "./workspace.ts";

const type = `${namespace}/deletedWorkspaces`;
const dayMilliseconds = 86_400_000;
const recoverableDays = 14;
/** By then the records have been dropped, and nothing is left to remember. */
const rememberedDays = 30;

interface DeletedWorkspace {
  readonly workspace: Resource<WorkspaceProperties, object>;
  readonly children: readonly Pick<Resource, "id" | "properties" | "hidden">[];
  readonly deletedAt: number;
  readonly isPurged: boolean;
}

const by = { caller: { name: "System", principalType: "ServicePrincipal" } as const };

/** Keeps what a recovery needs; called before the rows go. */
export async function rememberWorkspace(trx: Writer, workspace: Resource): Promise<void> {
  const children = (await listResources(trx, { parent: workspace.id })).map(({ id, properties, hidden }) => ({
    id,
    properties,
    hidden,
  }));
  const { clock } = scopeOf(trx);
  await putResource(
    trx,
    {
      id: deletedId(workspace as unknown as Resource<WorkspaceProperties>),
      properties: { workspace, children, deletedAt: clock.now(), isPurged: false },
    },
    { ...by, clock },
  );
}

/** The workspace that had this id, its children put back; undefined when there is none to recover. */
export async function recoverWorkspace(
  trx: Writer,
  id: string,
): Promise<Resource<WorkspaceProperties, object> | undefined> {
  const { clock } = scopeOf(trx);
  const [subscriptionId = ""] = id.split("/").slice(2);
  const found = (await listDeleted(trx, subscriptionId))
    .filter(({ properties }) => isRecoverable(properties, clock.now()))
    .filter(({ properties }) => properties.workspace.id.toLowerCase() === id.toLowerCase())
    .toSorted((a, b) => b.properties.deletedAt - a.properties.deletedAt)[0];
  if (found === undefined) return undefined;
  for (const child of found.properties.children) await putResource(trx, child, { ...by, clock });
  await deleteResource(trx, found.id);
  return found.properties.workspace;
}

/** Its records are dropped at the next maintenance. */
export async function purgeWorkspace(trx: Writer, id: string): Promise<void> {
  const { clock } = scopeOf(trx);
  const [subscriptionId = ""] = id.split("/").slice(2);
  for (const { id: deleted, properties } of await listDeleted(trx, subscriptionId)) {
    if (properties.workspace.id.toLowerCase() !== id.toLowerCase()) continue;
    await putResource(trx, { id: deleted, properties: { ...properties, isPurged: true } }, { ...by, clock });
  }
}

/** Customer ids of deleted workspaces with the days for which their records are still kept. */
export async function deletedRetention(reader: Reader, now: number): Promise<(readonly [string, number])[]> {
  const all = await listResources<DeletedWorkspace>(reader, { type });
  return all.map(({ properties }) => [
    properties.workspace.properties.customerId,
    isRecoverable(properties, now) ? properties.workspace.properties.retentionInDays : 0,
  ]);
}

export async function forgetDeletedWorkspaces(trx: Writer): Promise<void> {
  const before = scopeOf(trx).clock.now() - rememberedDays * dayMilliseconds;
  for (const { id, properties } of await listResources<DeletedWorkspace>(trx, { type }))
    if (properties.deletedAt < before) await deleteResource(trx, id);
}

export function deletedWorkspaceRoutes({ database }: Services): Route[] {
  const list = async (request: ArmRequest): Promise<ArmReply> => {
    const group = request.params["resourceGroup"]?.toLowerCase();
    const deleted = await listDeleted(database.kysely, param(request, "subscriptionId"));
    const shown = deleted.filter(
      ({ properties }) =>
        isRecoverable(properties, database.clock.now()) &&
        (group === undefined || properties.workspace.resourceGroup.toLowerCase() === group),
    );
    return ok({ value: shown.map(render) });
  };
  const collection = `providers/${type}`;
  return [
    { method: "GET", path: `/subscriptions/{subscriptionId}/${collection}`, handle: list },
    {
      method: "GET",
      path: `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/${collection}`,
      handle: list,
    },
  ];
}

function render({ properties: { workspace, deletedAt } }: Resource<DeletedWorkspace>): object {
  const { id, name, location, envelope, properties } = workspace;
  return {
    id,
    name,
    type: `${namespace}/workspaces`,
    location,
    ...(envelope.tags === undefined ? {} : { tags: envelope.tags }),
    properties: { ...properties, provisioningState: "Deleted", modifiedDate: isoTime(deletedAt) },
  };
}

function listDeleted(reader: Reader, subscriptionId: string): Promise<Resource<DeletedWorkspace>[]> {
  return listResources<DeletedWorkspace>(reader, { type, subscriptionId });
}

function isRecoverable({ deletedAt, isPurged }: DeletedWorkspace, now: number): boolean {
  return !isPurged && now < deletedAt + recoverableDays * dayMilliseconds;
}

/** In the subscription, not in the group: that may go too. */
function deletedId({ subscriptionId, properties }: Resource<WorkspaceProperties>): string {
  return `/subscriptions/${subscriptionId}/providers/${type}/${properties.customerId}`;
}
