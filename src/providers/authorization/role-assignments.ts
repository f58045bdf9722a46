// roleAssignments: `az role assignment …`, at any scope down from the root.

import { z } from "zod";
import { allowOnly, parseFilter, requiredEquals, type Filter } from "../../arm/filter.ts";
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
  assignmentKey,
  deleteAssignment,
  findAssignment,
  listAssignments,
  putAssignment,
  type RoleAssignment,
} from "../../identity/access/role-assignments.ts";
import { groupsOf } from "../../identity/directory/principals.ts";
import { accessErrors } from "../../identity/errors.ts";
import { isoTime } from "../../lib/clock.ts";
import type { Services } from "../services.ts";
import { assignmentId, guidPattern, requestScope, roleId, shownScope } from "./scopes.ts";

const type = "Microsoft.Authorization/roleAssignments";
const collection = `{scope}/providers/${type}`;
const one = `${collection}/{roleAssignmentName}`;

const conditionRefusal = "conditions are not supported; leave 'condition' out";
const assignmentBody = z.object({
  properties: z.object({
    roleDefinitionId: z.string().min(1).max(500),
    principalId: z.string().min(1).max(100),
    principalType: z.enum(["User", "Group", "ServicePrincipal", "ForeignGroup", "Device"]).nullish(),
    description: z.string().max(1024).nullish(),
    // A condition narrows what is granted: to leave it unheeded would grant too much.
    condition: z.null(conditionRefusal).or(z.literal("", conditionRefusal)).nullish(),
    conditionVersion: z.string().nullish(),
    delegatedManagedIdentityResourceId: z.string().nullish(),
  }),
});

export function roleAssignmentRoutes({ database, paging }: Services): Route[] {
  const list = async (request: ArmRequest): Promise<ArmReply> => {
    const filter = parseFilter(request.query.get("$filter"));
    allowOnly(filter, ["principalId"], ["atScope", "assignedTo"]);
    const scope = requestScope(request);
    const wanted = {
      tenantId: request.caller.tenantId,
      scope,
      below: findCall(filter, "atScope") === undefined,
      principalIds: await askedPrincipals(filter),
    };
    const page = paging.read(request);
    const found = await listAssignments(database.kysely, wanted, { after: page.after, limit: page.limit + 1 });
    return paging.reply(request, page, found, assignmentKey, (assignment) => render(assignment, scope));
  };

  const askedPrincipals = async (filter: Filter): Promise<string[] | undefined> => {
    const principalId = requiredEquals(filter, "principalId");
    if (principalId !== undefined) return [String(principalId).toLowerCase()];
    const call = findCall(filter, "assignedTo");
    if (call === undefined) return undefined;
    const [argument] = call.args;
    const id = argument !== undefined && "value" in argument ? String(argument.value).toLowerCase() : "";
    return [id, ...(await groupsOf(database.kysely, id))];
  };

  const get = async (request: ArmRequest): Promise<ArmReply> => {
    const scope = requestScope(request);
    const assignment = await findAssignment(database.kysely, scope, param(request, "roleAssignmentName"));
    if (assignment === undefined || assignment.tenantId !== request.caller.tenantId) {
      throw accessErrors.RoleAssignmentNotFound(
        `The role assignment '${param(request, "roleAssignmentName")}' is not found at the scope '${shownScope(scope)}'.`,
      );
    }
    return ok(render(assignment, scope));
  };

  const asked = (draft: Draft) => {
    const name = param(draft, "roleAssignmentName");
    if (!guidPattern.test(name)) {
      throw armErrors.InvalidParameter(
        `The role assignment ID '${name.slice(0, 100)}' is not valid. The role assignment ID must be a GUID.`,
        { target: "roleAssignmentName" },
      );
    }
    const { properties } = parseBody(draft, assignmentBody);
    if (!guidPattern.test(properties.principalId)) {
      throw accessErrors.InvalidPrincipalId(
        `A valid principal ID must be provided for role assignment; '${properties.principalId}' is not a GUID.`,
        { target: "properties.principalId" },
      );
    }
    return { name, properties, role: roleGuid(properties.roleDefinitionId) };
  };

  const put = async (request: ArmRequest): Promise<ArmReply> => {
    const { name, properties, role } = asked(request);
    const scope = requestScope(request);
    const assignment = await database.transaction((trx) =>
      putAssignment(trx, {
        name,
        tenantId: request.caller.tenantId,
        scope,
        principalId: properties.principalId,
        principalType: properties.principalType ?? undefined,
        role,
        description: properties.description,
        by: request.caller.principalId,
      }),
    );
    // az takes nothing but 201, for a new assignment and for a new description.
    return created(render(assignment, scope));
  };

  const remove = async (request: ArmRequest): Promise<ArmReply> => {
    const scope = requestScope(request);
    const gone = await database.transaction((trx) =>
      deleteAssignment(trx, scope, param(request, "roleAssignmentName")),
    );
    return gone === undefined ? noContent() : ok(render(gone, scope));
  };

  return [
    { method: "GET", path: collection, handle: list },
    { method: "GET", path: one, handle: get },
    { method: "PUT", path: one, handle: put, check: asked },
    { method: "DELETE", path: one, handle: remove },
  ];
}

function roleGuid(roleDefinitionId: string): string {
  const guid = /(?:^|\/providers\/Microsoft\.Authorization\/roleDefinitions\/)([0-9a-f-]{36})$/i.exec(
    roleDefinitionId,
  )?.[1];
  if (guid === undefined || !guidPattern.test(guid)) {
    throw accessErrors.InvalidRoleDefinitionId(
      `The role definition ID '${roleDefinitionId.slice(0, 300)}' is not valid. Write /subscriptions/{id}/providers/Microsoft.Authorization/roleDefinitions/{guid}.`,
      { target: "properties.roleDefinitionId" },
    );
  }
  return guid.toLowerCase();
}

function findCall(filter: Filter, name: string): (Filter & { kind: "call" }) | undefined {
  if (filter.kind === "and" || filter.kind === "or") return findCall(filter.left, name) ?? findCall(filter.right, name);
  return filter.kind === "call" && filter.name.toLowerCase() === name.toLowerCase() ? filter : undefined;
}

function render(assignment: RoleAssignment, seenFrom: string): Record<string, unknown> {
  return {
    id: assignmentId(assignment.scope, assignment.name),
    name: assignment.name,
    type,
    properties: {
      roleDefinitionId: roleId(assignment.role, seenFrom),
      principalId: assignment.principalId,
      principalType: assignment.principalType,
      scope: shownScope(assignment.scope),
      condition: null,
      conditionVersion: null,
      createdOn: isoTime(assignment.createdAt),
      updatedOn: isoTime(assignment.updatedAt),
      createdBy: assignment.createdBy,
      updatedBy: assignment.updatedBy,
      delegatedManagedIdentityResourceId: null,
      description: assignment.description,
    },
  };
}
