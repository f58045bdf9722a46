// The routes that every top-level resource type has: read, list by group and by subscription, put,
// patch and delete. A provider gives what is its own: the schema of `properties`, what happens on a
// change, how it looks.

import { z } from "zod";
import type { Database } from "../../db/database.ts";
import { deleteAssignmentsUnder } from "../../identity/access/role-assignments.ts";
import { withSchemaNames } from "../../lib/property-names.ts";
import { armErrors } from "../errors.ts";
import type { Locations } from "../locations.ts";
import type { Paging } from "../paging.ts";
import { checkPreconditions, preconditionsOf } from "../preconditions.ts";
import type { ResourceLifecycle } from "../provider.ts";
import {
  noContent,
  ok,
  param,
  parseBody,
  type ArmReply,
  type ArmRequest,
  type Caller,
  type Draft,
} from "../request.ts";
import type { Route } from "../routes.ts";
import {
  deleteResource,
  findResource,
  getResource,
  listResources,
  putResource,
  type Writer,
} from "./resource-store.ts";
import { renderResource, type Envelope, type Resource } from "./resource.ts";

export interface RouteServices {
  readonly database: Database;
  readonly paging: Paging;
  readonly locations: Locations;
}

export interface TrackedType<Properties extends object> {
  readonly namespace: string;
  /** `vaults` */
  readonly type: string;
  readonly properties: z.ZodType<Properties>;
  /** Throws when the name is not one for this type. */
  readonly checkName: (name: string) => void;
  /** What is stored for a put or patch: computed and read-only properties come in here. */
  readonly settle: (change: Change<Properties>) => Promise<Settled>;
  readonly lifecycle?: ResourceLifecycle;
  /** Answers that real clients insist on; by default 201 on creation and 200 on deletion. */
  readonly createdStatus?: 200 | 201;
  readonly render?: (resource: Resource) => Record<string, unknown>;
  /** Resources of this type have no location or live in `global`. */
  readonly isGlobal?: boolean;
}

export interface Change<Properties> {
  readonly trx: Writer;
  readonly id: string;
  readonly name: string;
  readonly location: string;
  readonly envelope: Envelope;
  readonly properties: Properties;
  readonly existing: Resource | undefined;
  readonly caller: Caller;
  readonly request: ArmRequest;
}

export interface Settled {
  readonly properties: object;
  readonly hidden?: object;
  readonly envelope?: Envelope;
  /** `Succeeded` when absent; another one while an operation goes on. */
  readonly provisioningState?: string;
}

const tagsSchema = z
  .record(z.string().min(1).max(512), z.string().max(256))
  .refine((tags) => Object.keys(tags).length <= 50, "a resource has at most 50 tags");

export const envelopeSchema = z.object({
  location: z.string().optional(),
  tags: tagsSchema.nullish(),
  sku: z.record(z.string(), z.unknown()).nullish(),
  kind: z.string().nullish(),
  identity: z.record(z.string(), z.unknown()).nullish(),
  plan: z.record(z.string(), z.unknown()).nullish(),
  zones: z.array(z.string()).nullish(),
  managedBy: z.string().nullish(),
});

export function trackedRoutes<Properties extends object>(
  services: RouteServices,
  type: TrackedType<Properties>,
): Route[] {
  const { database, paging } = services;
  const fullType = `${type.namespace}/${type.type}`;
  const inSubscription = `/subscriptions/{subscriptionId}/providers/${fullType}`;
  const inGroup = `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/${fullType}`;
  const one = `${inGroup}/{name}`;
  const render = type.render ?? renderResource;

  const list = async (request: ArmRequest): Promise<ArmReply> => {
    const page = paging.read(request);
    const rows = await listResources(database.kysely, {
      subscriptionId: param(request, "subscriptionId"),
      resourceGroup: request.params["resourceGroup"],
      type: fullType,
      after: page.after,
      limit: page.limit + 1,
    });
    return paging.reply(request, page, rows, (row) => row.id.toLowerCase(), render);
  };

  const read = async (request: ArmRequest): Promise<ArmReply> => {
    const resource = await getResource(database.kysely, request.resourceId);
    return ok(render(resource), { ETag: resource.etag });
  };

  const parseProperties = (properties: unknown): Properties =>
    parseBody({ body: { properties } }, z.object({ properties: type.properties })).properties;

  const asked = (draft: Draft) => {
    type.checkName(param(draft, "name"));
    const body = parseBody(draft, envelopeSchema.extend({ properties: type.properties.optional() }));
    if (body.location) services.locations.canonical(body.location);
    return { body, properties: body.properties ?? parseProperties({}) };
  };

  const put = async (request: ArmRequest): Promise<ArmReply> => {
    const { body, properties } = asked(request);
    return change(request, (existing) => ({
      location: locationOf(services, type.isGlobal === true, body.location, existing),
      envelope: toEnvelope(body, existing),
      properties,
    }));
  };

  const patch = async (request: ArmRequest): Promise<ArmReply> => {
    const body = parseBody(
      request,
      envelopeSchema.extend({ properties: z.record(z.string(), z.unknown()).optional() }),
    );
    return change(request, (existing) => {
      if (existing === undefined)
        throw armErrors.ResourceNotFound(`The Resource '${fullType}/${param(request, "name")}' was not found.`);
      const merged = mergePatch(existing.properties, withSchemaNames(type.properties, body.properties ?? {}));
      const properties = parseProperties(merged);
      const { location: _location, properties: _properties, ...changes } = body;
      return {
        location: existing.location ?? "",
        envelope: toEnvelope({ ...existing.envelope, ...changes }, existing),
        properties,
      };
    });
  };

  const change = async (
    request: ArmRequest,
    wanted: (existing: Resource | undefined) => { location: string; envelope: Envelope; properties: Properties },
  ): Promise<ArmReply> => {
    const { resource, created } = await database.transaction(async (trx) => {
      const existing = await findResource(trx, request.resourceId);
      const draft = wanted(existing);
      const id = existing?.id ?? request.resourceId;
      const name = existing?.name ?? param(request, "name");
      const settled = await type.settle({ trx, id, name, existing, caller: request.caller, request, ...draft });
      return putResource(
        trx,
        {
          id,
          location: draft.location === "" ? undefined : draft.location,
          envelope: draft.envelope,
          tracked: true,
          ...settled,
        },
        { caller: request.caller, clock: database.clock },
        preconditionsOf(request),
      );
    });
    return {
      status: created ? (type.createdStatus ?? 201) : 200,
      body: render(resource),
      headers: { ETag: resource.etag },
    };
  };

  const remove = async (request: ArmRequest): Promise<ArmReply> => {
    const found = await findResource(database.kysely, request.resourceId);
    if (found === undefined) return noContent();
    await database.transaction(async (trx) => {
      const resource = await findResource(trx, request.resourceId);
      if (resource === undefined) return;
      checkPreconditions(preconditionsOf(request), resource.etag, resource.id);
      await removeWithLifecycle(trx, resource, type.lifecycle ?? {});
    });
    return { status: 200 };
  };

  return [
    { method: "GET", path: inSubscription, handle: list },
    { method: "GET", path: inGroup, handle: list },
    { method: "GET", path: one, handle: read },
    { method: "PUT", path: one, handle: put, check: asked },
    { method: "PATCH", path: one, handle: patch },
    { method: "DELETE", path: one, handle: remove },
  ];
}

/** Deletes one resource, unless something blocks it. */
export async function removeWithLifecycle(
  trx: Writer,
  resource: Resource,
  lifecycle: ResourceLifecycle,
): Promise<void> {
  const blockers = (await lifecycle.blockers?.(trx, resource)) ?? [];
  if (blockers.length > 0) {
    throw armErrors.Conflict(`${resource.id} cannot be deleted: ${blockers.join(" ")}`, { target: resource.id });
  }
  await lifecycle.remove?.(trx, resource);
  // Who had a right to it has none to what somebody makes under its name.
  await deleteAssignmentsUnder(trx, resource.id);
  await deleteResource(trx, resource.id);
}

function locationOf(
  services: RouteServices,
  isGlobal: boolean,
  asked: string | undefined,
  existing: Resource | undefined,
): string {
  if (asked === undefined || asked === "") {
    if (existing?.location !== undefined) return existing.location;
    if (isGlobal) return "";
    throw armErrors.LocationRequired("The location property is required for this definition.", { target: "location" });
  }
  const location = services.locations.canonical(asked);
  if (existing?.location !== undefined && existing.location !== location) {
    throw armErrors.Conflict(
      `The resource '${existing.name}' already exists in location '${existing.location}' in resource group '${existing.resourceGroup}'. A resource with the same name cannot be created in location '${location}'. Please select a new resource name.`,
      { target: "location" },
    );
  }
  return location;
}

/**
 * A null member takes the part away; tags are replaced whole, as Azure does. To whom a resource belongs is
 * for the service to say, and no client's put takes it away.
 */
function toEnvelope(body: Partial<Record<keyof Envelope, unknown>>, existing: Resource | undefined): Envelope {
  const names = ["tags", "sku", "kind", "identity", "plan", "zones"] as const;
  const given = names.filter((name) => body[name] !== undefined && body[name] !== null);
  const owner = existing?.envelope.managedBy;
  return {
    ...(Object.fromEntries(given.map((name) => [name, body[name]])) as Envelope),
    ...(owner === undefined ? {} : { managedBy: owner }),
  };
}

/** RFC 7396: members are merged, null deletes, everything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const base = typeof target === "object" && target !== null && !Array.isArray(target) ? target : {};
  const merged = new Map<string, unknown>(Object.entries(base));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value));
  }
  return Object.fromEntries(merged);
}
