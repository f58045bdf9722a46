// roleDefinitions: `az role definition …`.

import { z } from "zod";
import { allowOnly, filterPredicate, parseFilter, type Filter } from "../../arm/filter.ts";
import { armErrors } from "../../arm/errors.ts";
import {
  created,
  noContent,
  ok,
  param,
  parseBody,
  type ArmReply,
  type ArmRequest,
  type Draft,
} from "../../arm/request.ts";
import type { Route } from "../../arm/routes.ts";
import {
  deleteRole,
  findRole,
  putRole,
  roleDoesNotExist,
  rolesAssignableAt,
  type RoleWriter,
  type StoredRole,
} from "../../identity/access/role-definitions.ts";
import { isoTime } from "../../lib/clock.ts";
import type { Services } from "../services.ts";
import { guidPattern, requestScope, roleId } from "./scopes.ts";

const type = "Microsoft.Authorization/roleDefinitions";
const collection = `{scope}/providers/${type}`;
const one = `${collection}/{roleDefinitionId}`;

const actions = z.array(z.string().min(1).max(512)).max(2000).nullish();
const roleBody = z.object({
  properties: z.object({
    roleName: z.string().min(1).max(512),
    description: z.string().max(2048).nullish(),
    type: z.string().nullish(),
    permissions: z
      .array(z.object({ actions, notActions: actions, dataActions: actions, notDataActions: actions }))
      .min(1)
      .max(10),
    assignableScopes: z
      .array(
        z
          .string()
          .max(2000)
          .regex(/^\/subscriptions\/[^/]+(\/.*)?$/i, "must be a subscription, a resource group or a resource"),
      )
      .min(1)
      .max(2000),
  }),
});

export function roleDefinitionRoutes({ database, access }: Services): Route[] {
  const writerOf = async (request: ArmRequest): Promise<RoleWriter> => {
    const grants = await access.grantsOf(request.caller.principalId);
    return (scope) => grants.allows("Microsoft.Authorization/roleDefinitions/write", scope);
  };

  const list = async (request: ArmRequest): Promise<ArmReply> => {
    const filter = parseFilter(request.query.get("$filter"));
    allowOnly(filter, ["roleName", "type"], ["atScopeAndBelow"]);
    const matches = filterPredicate<StoredRole>(filter, readField, (_role, name) =>
      name.toLowerCase() === "atscopeandbelow" ? true : undefined,
    );
    const scope = requestScope(request);
    const roles = await rolesAssignableAt(database.kysely, request.caller.tenantId, scope, asksBelow(filter));
    return ok({ value: roles.filter(matches).map((role) => render(role, scope)) });
  };

  const get = async (request: ArmRequest): Promise<ArmReply> => {
    const role = await findRole(database.kysely, param(request, "roleDefinitionId"));
    if (role === undefined || !isOfTenant(role, request)) throw roleDoesNotExist(param(request, "roleDefinitionId"));
    return ok(render(role, requestScope(request)));
  };

  const asked = (draft: Draft) => {
    const name = param(draft, "roleDefinitionId");
    if (!guidPattern.test(name)) {
      throw armErrors.InvalidParameter(`The role definition ID '${name.slice(0, 100)}' is not a GUID.`, {
        target: "roleDefinitionId",
      });
    }
    return { name, properties: parseBody(draft, roleBody).properties };
  };

  const put = async (request: ArmRequest): Promise<ArmReply> => {
    const { name, properties } = asked(request);
    const mayWrite = await writerOf(request);
    await database.transaction((trx) =>
      putRole(
        trx,
        {
          name,
          tenantId: request.caller.tenantId,
          roleName: properties.roleName,
          description: properties.description ?? "",
          permissions: properties.permissions.map((permission) => ({
            actions: permission.actions ?? [],
            notActions: permission.notActions ?? [],
            dataActions: permission.dataActions ?? [],
            notDataActions: permission.notDataActions ?? [],
          })),
          assignableScopes: properties.assignableScopes,
          by: request.caller.principalId,
        },
        mayWrite,
      ),
    );
    const role = await findRole(database.kysely, name);
    if (role === undefined) throw roleDoesNotExist(name);
    // Clients of every version take 201 here, for a new role and for a changed one.
    return created(render(role, requestScope(request)));
  };

  const remove = async (request: ArmRequest): Promise<ArmReply> => {
    const mayWrite = await writerOf(request);
    const gone = await database.transaction((trx) =>
      deleteRole(trx, request.caller.tenantId, param(request, "roleDefinitionId"), mayWrite),
    );
    return gone === undefined ? noContent() : ok(render(gone, requestScope(request)));
  };

  return [
    { method: "GET", path: collection, handle: list },
    { method: "GET", path: one, handle: get },
    { method: "PUT", path: one, handle: put, check: asked },
    { method: "DELETE", path: one, handle: remove },
  ];
}

function asksBelow(filter: Filter): boolean {
  if (filter.kind === "and" || filter.kind === "or") return asksBelow(filter.left) || asksBelow(filter.right);
  return filter.kind === "call" && filter.name.toLowerCase() === "atscopeandbelow";
}

function readField(role: StoredRole, field: string): string | undefined {
  return field.toLowerCase() === "rolename" ? role.roleName : role.type;
}

function isOfTenant(role: StoredRole, request: ArmRequest): boolean {
  return role.tenantId === undefined || role.tenantId === request.caller.tenantId;
}

function render(role: StoredRole, seenFrom: string): Record<string, unknown> {
  const { stamps } = role;
  return {
    id: roleId(role.name, seenFrom),
    name: role.name,
    type,
    properties: {
      roleName: role.roleName,
      type: role.type,
      description: role.description,
      assignableScopes: role.assignableScopes,
      permissions: role.permissions,
      ...(stamps === undefined
        ? {}
        : {
            createdOn: isoTime(stamps.createdAt),
            createdBy: stamps.createdBy,
            updatedOn: isoTime(stamps.updatedAt),
            updatedBy: stamps.updatedBy,
          }),
    },
  };
}
