// Who has which role where. Changing this moves the access version in the same transaction.

import type { RoleAssignmentRow } from "../../db/schema/identity.ts";
import { scopeOf } from "../../db/transaction.ts";
import type { Reading, Writing } from "../database.ts";
import { findPrincipals, type PrincipalType } from "../directory/principals.ts";
import { accessErrors } from "../errors.ts";
import { requireOwner } from "./last-owner.ts";
import { findRole, roleDoesNotExist } from "./role-definitions.ts";
import { covers, outwards, scopeKey } from "./scope.ts";
import { bumpAccessVersion } from "./version.ts";

export interface RoleAssignment {
  /** GUID; unique within the scope. */
  readonly name: string;
  readonly tenantId: string;
  /** "" is the root. */
  readonly scope: string;
  readonly principalId: string;
  readonly principalType: PrincipalType;
  /** GUID of the role. */
  readonly role: string;
  readonly description: string | null;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly updatedAt: number;
  readonly updatedBy: string;
}

export interface NewAssignment {
  readonly name: string;
  readonly tenantId: string;
  readonly scope: string;
  readonly principalId: string;
  /** Checked against what the principal is, when given. */
  readonly principalType?: string | undefined;
  readonly role: string;
  readonly description?: string | null | undefined;
  /** Object id of who assigns. */
  readonly by: string;
}

export interface AssignmentFilter {
  readonly tenantId: string;
  /** Assignments in force here come from this scope and those above it. */
  readonly scope: string;
  /** Also those at scopes under it. */
  readonly below: boolean;
  /** Only for these principals. */
  readonly principalIds?: readonly string[];
}

/** A part of a list: so many, from after the one with this key. */
export interface AssignmentPage {
  readonly after: string | undefined;
  readonly limit: number;
}

/** Makes an assignment, or changes the description of one that says the same. */
export async function putAssignment(trx: Writing, wanted: NewAssignment): Promise<RoleAssignment> {
  const role = await findRole(trx, wanted.role);
  const isForeign = role?.tenantId !== undefined && role.tenantId !== wanted.tenantId;
  if (role === undefined || isForeign) throw roleDoesNotExist(wanted.role);
  if (!role.assignableScopes.some((scope) => covers(scopeKey(scope), scopeKey(wanted.scope)))) {
    throw accessErrors.ScopeNotAssignable(
      `The role '${role.roleName}' cannot be assigned at '${wanted.scope}'. Add the scope to its assignableScopes: ${role.assignableScopes.join(", ")}.`,
    );
  }
  const principalType = await typeOfPrincipal(trx, wanted);
  const name = wanted.name.toLowerCase();
  const id = `${scopeKey(wanted.scope)}|${name}`;
  const existing = await trx.selectFrom("role_assignments").selectAll().where("id", "=", id).executeTakeFirst();
  const now = scopeOf(trx).clock.now();
  if (existing !== undefined) {
    const same = existing.principal_id === wanted.principalId.toLowerCase() && existing.role_name === role.name;
    if (!same) {
      throw accessErrors.RoleAssignmentUpdateNotPermitted(
        "Tenant ID, application ID, principal ID, and scope are not allowed to be updated. Delete the assignment and make a new one.",
      );
    }
    // A template that is deployed again says the same again.
    if ((wanted.description ?? null) === existing.description) return fromRow(existing);
    const changed = { description: wanted.description ?? null, updated_at: now, updated_by: wanted.by };
    await trx.updateTable("role_assignments").set(changed).where("id", "=", id).execute();
    return fromRow({ ...existing, ...changed });
  }
  const row = {
    id,
    name,
    tenant_id: wanted.tenantId,
    scope: scopeKey(wanted.scope) === "" ? "" : wanted.scope,
    scope_key: scopeKey(wanted.scope),
    principal_id: wanted.principalId.toLowerCase(),
    principal_type: principalType,
    role_name: role.name,
    description: wanted.description ?? null,
    created_at: now,
    created_by: wanted.by,
    updated_at: now,
    updated_by: wanted.by,
  };
  const twin = await trx
    .selectFrom("role_assignments")
    .select("id")
    .where("scope_key", "=", row.scope_key)
    .where("principal_id", "=", row.principal_id)
    .where("role_name", "=", row.role_name)
    .executeTakeFirst();
  if (twin !== undefined) throw alreadyExists();
  await trx.insertInto("role_assignments").values(row).execute();
  await bumpAccessVersion(trx);
  return fromRow(row);
}

export async function findAssignment(
  reading: Reading,
  scope: string,
  name: string,
): Promise<RoleAssignment | undefined> {
  const row = await reading
    .selectFrom("role_assignments")
    .selectAll()
    .where("id", "=", `${scopeKey(scope)}|${name.toLowerCase()}`)
    .executeTakeFirst();
  return row === undefined ? undefined : fromRow(row);
}

/** The assignment that went, or undefined when there was none. The last Owner of all stays. */
export async function deleteAssignment(trx: Writing, scope: string, name: string): Promise<RoleAssignment | undefined> {
  const assignment = await findAssignment(trx, scope, name);
  if (assignment === undefined) return undefined;
  await trx
    .deleteFrom("role_assignments")
    .where("id", "=", `${scopeKey(scope)}|${assignment.name}`)
    .execute();
  await requireOwner(trx);
  await bumpAccessVersion(trx);
  return assignment;
}

/** What goes with a resource, a group or a subscription that is deleted. */
export async function deleteAssignmentsUnder(trx: Writing, scope: string): Promise<void> {
  const key = scopeKey(scope);
  if (key === "") throw new Error("the assignments of the root are not deleted together");
  const { numDeletedRows } = await trx
    .deleteFrom("role_assignments")
    .where((where) =>
      where.or([
        where("scope_key", "=", key),
        where.and([where("scope_key", ">", `${key}/`), where("scope_key", "<", `${key}0`)]),
      ]),
    )
    .executeTakeFirst();
  if (numDeletedRows > 0n) await bumpAccessVersion(trx);
}

/** In the order in which they were made; all of them, unless a page is asked for. */
export async function listAssignments(
  reading: Reading,
  filter: AssignmentFilter,
  page?: AssignmentPage,
): Promise<RoleAssignment[]> {
  const key = scopeKey(filter.scope);
  let query = reading.selectFrom("role_assignments").selectAll().where("tenant_id", "=", filter.tenantId);
  query = query.where((where) => {
    const here = where("scope_key", "in", [...outwards(key)]);
    // "0" is the character after "/": between them lie exactly the keys under this one.
    const under = where.and([where("scope_key", ">", `${key}/`), where("scope_key", "<", `${key}0`)]);
    return filter.below ? where.or([here, under]) : here;
  });
  if (filter.principalIds !== undefined) {
    if (filter.principalIds.length === 0) return [];
    query = query.where("principal_id", "in", [...filter.principalIds]);
  }
  if (page?.after !== undefined) {
    const [createdAt, id] = splitKey(page.after);
    query = query.where((where) =>
      where.or([
        where("created_at", ">", createdAt),
        where.and([where("created_at", "=", createdAt), where("id", ">", id)]),
      ]),
    );
  }
  if (page !== undefined) query = query.limit(page.limit);
  return (await query.orderBy("created_at").orderBy("id").execute()).map(fromRow);
}

/** Where an assignment stands in the order of the list. */
export function assignmentKey(assignment: RoleAssignment): string {
  return `${assignment.createdAt} ${scopeKey(assignment.scope)}|${assignment.name}`;
}

function splitKey(key: string): [number, string] {
  const at = key.indexOf(" ");
  return [Number(key.slice(0, at)), key.slice(at + 1)];
}

async function typeOfPrincipal(trx: Writing, wanted: NewAssignment): Promise<PrincipalType> {
  const [principal] = await findPrincipals(trx, [wanted.principalId]);
  if (principal === undefined || principal.tenantId !== wanted.tenantId) {
    throw accessErrors.PrincipalNotFound(
      `Principal ${wanted.principalId.replaceAll("-", "")} does not exist in the directory ${wanted.tenantId}. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.`,
    );
  }
  if (wanted.principalType !== undefined && wanted.principalType.toLowerCase() !== principal.type.toLowerCase()) {
    throw accessErrors.UnmatchedPrincipalType(
      `The PrincipalId '${wanted.principalId}' has type '${principal.type}', which is different from the specified principalType '${wanted.principalType}'.`,
    );
  }
  return principal.type;
}

function alreadyExists(): Error {
  return accessErrors.RoleAssignmentExists("The role assignment already exists.");
}

function fromRow(row: RoleAssignmentRow): RoleAssignment {
  return {
    name: row.name,
    tenantId: row.tenant_id,
    scope: row.scope,
    principalId: row.principal_id,
    principalType: row.principal_type as PrincipalType,
    role: row.role_name,
    description: row.description,
    createdAt: row.created_at,
    createdBy: row.created_by,
    updatedAt: row.updated_at,
    updatedBy: row.updated_by,
  };
}
