// Reads and writes of the resources table. Writes take the caller's transaction: the state change,
// its event and whatever else belongs to it become true together.

import type { Kysely, Transaction } from "kysely";
import { compiledRead } from "../../db/compiled-read.ts";
import type { Tables } from "../../db/schema.ts";
import type { ResourceRow } from "../../db/schema/arm.ts";
import type { Clock } from "../../lib/clock.ts";
import { armErrors } from "../errors.ts";
import { checkPreconditions, newEtag, type Preconditions } from "../preconditions.ts";
import type { Caller } from "../request.ts";
import { idKey, parseResourceId } from "../resource-id.ts";
import { fromRow, type Envelope, type Resource } from "./resource.ts";

export type Reader = Kysely<Tables>;
export type Writer = Transaction<Tables>;

export interface ResourceDraft {
  readonly id: string;
  readonly location?: string;
  readonly envelope?: Envelope;
  readonly properties: object;
  readonly hidden?: object;
  readonly provisioningState?: string;
  /** Shown by `az resource list`; only top-level resources are. */
  readonly tracked?: boolean;
}

export interface ResourceQuery {
  readonly subscriptionId?: string;
  readonly resourceGroup?: string;
  readonly type?: string;
  readonly parent?: string;
  readonly trackedOnly?: boolean;
  /** Only resources whose key is greater: for paging. */
  readonly after?: string;
  readonly limit?: number;
}

const resourceByKey = compiledRead((reader, key: string) =>
  reader.selectFrom("resources").selectAll().where("key", "=", key),
);

export async function findResource<Properties = Record<string, unknown>, Hidden = Record<string, unknown>>(
  reader: Reader,
  id: string,
): Promise<Resource<Properties, Hidden> | undefined> {
  const [row] = await resourceByKey(reader, idKey(id));
  return row === undefined ? undefined : fromRow<Properties, Hidden>(row);
}

/** Like findResource; what is not there is Azure's ResourceNotFound. */
export async function getResource<Properties = Record<string, unknown>, Hidden = Record<string, unknown>>(
  reader: Reader,
  id: string,
): Promise<Resource<Properties, Hidden>> {
  const resource = await findResource<Properties, Hidden>(reader, id);
  if (resource === undefined) throw resourceNotFound(id);
  return resource;
}

export function resourceNotFound(id: string): Error {
  const { type, name, resourceGroup } = parseResourceId(id);
  const place = resourceGroup === undefined ? "" : ` under resource group '${resourceGroup}'`;
  return armErrors.ResourceNotFound(`The Resource '${type}/${name}'${place} was not found.`, { target: id });
}

export async function listResources<Properties = Record<string, unknown>, Hidden = Record<string, unknown>>(
  reader: Reader,
  query: ResourceQuery,
): Promise<Resource<Properties, Hidden>[]> {
  let select = reader.selectFrom("resources").selectAll();
  if (query.subscriptionId !== undefined)
    select = select.where("subscription_key", "=", query.subscriptionId.toLowerCase());
  if (query.resourceGroup !== undefined) select = select.where("group_key", "=", query.resourceGroup.toLowerCase());
  if (query.type !== undefined) select = select.where("type_key", "=", query.type.toLowerCase());
  if (query.parent !== undefined) select = select.where("parent_key", "=", idKey(query.parent));
  if (query.trackedOnly === true) select = select.where("tracked", "=", 1);
  if (query.after !== undefined) select = select.where("key", ">", query.after);
  if (query.limit !== undefined) select = select.limit(query.limit);
  const rows = await select.orderBy("key").execute();
  return rows.map((row) => fromRow<Properties, Hidden>(row));
}

export interface PutResult {
  readonly resource: Resource;
  readonly created: boolean;
}

/** Creates or replaces. The stored spelling of an existing id stays. */
export async function putResource(
  trx: Writer,
  draft: ResourceDraft,
  by: { readonly caller: Pick<Caller, "name" | "principalType">; readonly clock: Clock },
  preconditions: Preconditions = { ifMatch: undefined, ifNoneMatch: undefined },
): Promise<PutResult> {
  const existing = await trx.selectFrom("resources").selectAll().where("key", "=", idKey(draft.id)).executeTakeFirst();
  checkPreconditions(preconditions, existing?.etag, draft.id);
  const now = by.clock.now();
  const changedByType = by.caller.principalType === "User" ? "User" : "Application";
  const { text: id, type, name, parent, subscriptionId, resourceGroup } = parseResourceId(existing?.id ?? draft.id);
  const row: ResourceRow = {
    key: idKey(id),
    id,
    subscription_key: (subscriptionId ?? "").toLowerCase(),
    group_key: (resourceGroup ?? "").toLowerCase(),
    type: existing?.type ?? type,
    type_key: type.toLowerCase(),
    name: existing?.name ?? name,
    parent_key: idKey(parent),
    tracked: draft.tracked === true ? 1 : 0,
    location: draft.location ?? null,
    envelope: JSON.stringify(draft.envelope ?? {}),
    properties: JSON.stringify(draft.properties),
    hidden: JSON.stringify(draft.hidden ?? {}),
    state: draft.provisioningState ?? "Succeeded",
    etag: newEtag(),
    created_at: existing?.created_at ?? now,
    created_by: existing?.created_by ?? by.caller.name,
    created_by_type: existing?.created_by_type ?? changedByType,
    changed_at: now,
    changed_by: by.caller.name,
    changed_by_type: changedByType,
  };
  const { key: _key, ...changes } = row;
  await trx
    .insertInto("resources")
    .values(row)
    .onConflict((conflict) => conflict.column("key").doUpdateSet(changes))
    .execute();
  return { resource: fromRow(row), created: existing === undefined };
}

/** Deletes a resource with everything that stands in or on it. False when it was not there. */
export async function deleteResource(trx: Writer, id: string): Promise<boolean> {
  const key = idKey(id);
  // "0" is the character after "/": the range holds exactly the ids below this one.
  await trx.deleteFrom("resources").where("key", ">", `${key}/`).where("key", "<", `${key}0`).execute();
  const deleted = await trx.deleteFrom("resources").where("key", "=", key).executeTakeFirst();
  return Number(deleted.numDeletedRows) > 0;
}
