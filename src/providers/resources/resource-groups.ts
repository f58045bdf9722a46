// Resource groups. Deleting one is a long operation that refuses at once when something in it may
// not go (a lock, a vault with data), and tells what.

import { z } from "zod";
import { allowOnly, filterPredicate, parseFilter } from "../../arm/filter.ts";
import { checkGroupName, getGroup, groupBeingDeleted, groupType } from "../../arm/groups.ts";
import { startOperation } from "../../arm/operations/operation.ts";
import { retryAfterSeconds } from "../../arm/operations/replies.ts";
import { fillPage } from "../../arm/paging.ts";
import { checkPreconditions, preconditionsOf } from "../../arm/preconditions.ts";
import { noContent, ok, param, parseBody, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { groupScope } from "../../arm/resource-id.ts";
import type { Resource } from "../../arm/resources/resource.ts";
import { findResource, listResources, putResource, type Reader } from "../../arm/resources/resource-store.ts";
import { envelopeSchema } from "../../arm/resources/tracked-routes.ts";
import type { Route } from "../../arm/routes.ts";
import { tagsMatch, withoutTags } from "../../arm/tag-filter.ts";
import { armErrors } from "../../arm/errors.ts";
import type { Services } from "../services.ts";
import { deleteGroupKind, refuseIfBlocked } from "./delete-group.ts";

const collection = "/subscriptions/{subscriptionId}/resourceGroups";
const one = `${collection}/{resourceGroup}`;
const action = "Microsoft.Resources/subscriptions/resourceGroups";

const groupSchema = envelopeSchema
  .pick({ location: true, tags: true, managedBy: true })
  .extend({ name: z.string().optional(), properties: z.object({}).nullish() });

export function resourceGroupRoutes(services: Services, lifecycleOf: LifecycleOf): Route[] {
  const { access, database, paging, locations, operations } = services;
  const idOf = (request: ArmRequest): string =>
    groupScope(param(request, "subscriptionId"), param(request, "resourceGroup"));

  const list = async (request: ArmRequest): Promise<ArmReply> => {
    const filter = parseFilter(request.query.get("$filter"));
    allowOnly(filter, ["tagname", "tagvalue", "name", "location"], ["startswith"]);
    const rest = filterPredicate<Resource>(withoutTags(filter), readGroupField);
    const grants = await access.grantsOf(request.caller.principalId);
    const matches = (group: Resource): boolean =>
      tagsMatch(filter, group) && rest(group) && grants.allows(`${action}/read`, group.id);
    const page = paging.read(request);
    const subscriptionId = param(request, "subscriptionId");
    const keyOf = (group: Resource): string => group.id.toLowerCase();
    const rows = await fillPage(
      page,
      (after, limit) => listResources(database.kysely, { subscriptionId, type: groupType, after, limit }),
      keyOf,
      matches,
    );
    return paging.reply(request, page, rows, keyOf, renderGroup);
  };

  const put = async (request: ArmRequest): Promise<ArmReply> => {
    checkGroupName(param(request, "resourceGroup"));
    const body = parseBody(request, groupSchema);
    if (body.location === undefined || body.location === "") {
      throw armErrors.LocationRequired("The location property is required for this definition.", {
        target: "location",
      });
    }
    const location = locations.canonical(body.location);
    const { resource, created } = await database.transaction(async (trx) => {
      const existing = await findResource(trx, idOf(request));
      if (existing?.provisioningState === "Deleting") throw groupBeingDeleted(existing);
      if (existing?.location !== undefined && existing.location !== location) {
        throw armErrors.InvalidResourceGroupLocation(
          `Invalid resource group location '${location}'. The Resource group already exists in location '${existing.location}'.`,
          { target: "location" },
        );
      }
      const envelope = {
        ...(body.tags ? { tags: body.tags } : {}),
        ...(body.managedBy ? { managedBy: body.managedBy } : {}),
      };
      return putResource(
        trx,
        { id: idOf(request), location, envelope, properties: {} },
        { caller: request.caller, clock: database.clock },
        preconditionsOf(request),
      );
    });
    return { status: created ? 201 : 200, body: renderGroup(resource) };
  };

  const patch = async (request: ArmRequest): Promise<ArmReply> => {
    const body = parseBody(request, groupSchema);
    const { resource } = await database.transaction(async (trx) => {
      const existing = await getGroup(trx, param(request, "subscriptionId"), param(request, "resourceGroup"));
      if (existing.provisioningState === "Deleting") throw groupBeingDeleted(existing);
      const envelope = {
        ...existing.envelope,
        ...(body.tags === undefined ? {} : { tags: body.tags ?? {} }),
        ...(body.managedBy ? { managedBy: body.managedBy } : {}),
      };
      return putResource(
        trx,
        { id: existing.id, location: existing.location, envelope, properties: existing.properties },
        { caller: request.caller, clock: database.clock },
        preconditionsOf(request),
      );
    });
    return ok(renderGroup(resource));
  };

  const remove = async (request: ArmRequest): Promise<ArmReply> => {
    const group = await groupOf(database.kysely, request);
    checkPreconditions(preconditionsOf(request), group.etag, group.id);
    const operationId = await database.transaction(async (trx) => {
      await refuseIfBlocked(trx, group, lifecycleOf);
      await trx.updateTable("resources").set({ state: "Deleting" }).where("key", "=", group.id.toLowerCase()).execute();
      return startOperation(trx, database.clock, {
        kind: deleteGroupKind,
        subscriptionId: group.subscriptionId,
        resourceId: group.id,
        input: {},
        caller: request.caller,
        correlationId: request.correlationId,
      });
    });
    operations.wake();
    const location = `${request.origin}/subscriptions/${group.subscriptionId}/operationresults/${operationId}?api-version=${encodeURIComponent(request.apiVersion)}`;
    return { status: 202, headers: { Location: location, "Retry-After": retryAfterSeconds } };
  };

  return [
    // Each group is shown to those who may read it; the list itself is open.
    { method: "GET", path: collection, action: "", handle: list },
    {
      method: "GET",
      path: one,
      action: `${action}/read`,
      handle: async (request) => ok(renderGroup(await groupOf(database.kysely, request))),
    },
    {
      method: "HEAD",
      path: one,
      action: `${action}/read`,
      handle: async (request) =>
        (await findResource(database.kysely, idOf(request))) === undefined ? { status: 404 } : noContent(),
    },
    { method: "PUT", path: one, action: `${action}/write`, handle: put },
    { method: "PATCH", path: one, action: `${action}/write`, handle: patch },
    { method: "DELETE", path: one, action: `${action}/delete`, handle: remove },
  ];
}

export type LifecycleOf = Parameters<typeof refuseIfBlocked>[2];

function groupOf(reader: Reader, request: ArmRequest): Promise<Resource> {
  return getGroup(reader, param(request, "subscriptionId"), param(request, "resourceGroup"));
}

function readGroupField(group: Resource, field: string): string | undefined {
  return field.toLowerCase() === "name" ? group.name : group.location;
}

export function renderGroup(group: Resource): Record<string, unknown> {
  return {
    id: group.id,
    name: group.name,
    type: groupType,
    location: group.location,
    ...(group.envelope.tags === undefined ? {} : { tags: group.envelope.tags }),
    ...(group.envelope.managedBy === undefined ? {} : { managedBy: group.envelope.managedBy }),
    properties: { provisioningState: group.provisioningState },
  };
}
