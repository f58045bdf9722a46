// Built-in roles and the custom ones of a tenant.

import { z } from "zod";
import type { RoleDefinitionRow } from "../../db/schema/identity.ts";
import { scopeOf } from "../../db/transaction.ts";
import type { Reading, Writing } from "../database.ts";
import { accessErrors } from "../errors.ts";
import { builtInRoleOf, builtInRoles } from "./built-in-roles.ts";
import type { Permission, RoleDefinition } from "./roles/definition.ts";
import { covers, scopeKey } from "./scope.ts";
import { bumpAccessVersion } from "./version.ts";

export interface StoredRole extends RoleDefinition {
  /** Both absent for built-in roles, which every tenant has. */
  readonly tenantId?: string;
  readonly stamps?: RoleStamps;
}

export interface RoleStamps {
  readonly createdAt: number;
  readonly createdBy: string;
  readonly updatedAt: number;
  readonly updatedBy: string;
}

export interface NewRole {
  readonly name: string;
  readonly tenantId: string;
  readonly roleName: string;
  readonly description: string;
  readonly permissions: readonly Permission[];
  readonly assignableScopes: readonly string[];
  /** Object id of who writes it. */
  readonly by: string;
}

/**
 * May the caller write roles at this scope? A custom role is changed for every scope that it can be
 * assigned at, so the right is needed at each of them, those it had before included.
 */
export type RoleWriter = (scope: string) => boolean;

export async function findRole(reading: Reading, name: string): Promise<StoredRole | undefined> {
  return (await roleDefinitionsByName(reading, [name.toLowerCase()])).get(name.toLowerCase());
}

export async function roleDefinitionsByName(
  reading: Reading,
  names: readonly string[],
): Promise<ReadonlyMap<string, StoredRole>> {
  const found = new Map<string, StoredRole>();
  const custom: string[] = [];
  for (const name of new Set(names)) {
    const builtIn = builtInRoleOf(name);
    if (builtIn === undefined) custom.push(name);
    else found.set(name, builtIn);
  }
  if (custom.length > 0) {
    const rows = await reading.selectFrom("role_definitions").selectAll().where("name", "in", custom).execute();
    for (const row of rows) found.set(row.name, fromRow(row));
  }
  return found;
}

/** Roles that can be assigned at a scope (or, with `below`, at some scope under it too). */
export async function rolesAssignableAt(
  reading: Reading,
  tenantId: string,
  scope: string,
  below = false,
): Promise<StoredRole[]> {
  const key = scopeKey(scope);
  const rows = await reading.selectFrom("role_definitions").selectAll().where("tenant_id", "=", tenantId).execute();
  const custom = rows
    .map(fromRow)
    .filter(({ assignableScopes }) =>
      assignableScopes
        .map(scopeKey)
        .some((assignable) => covers(assignable, key) || (below && covers(key, assignable))),
    );
  return [...builtInRoles, ...custom];
}

/** Makes or replaces a custom role; true when it is new. */
export async function putRole(trx: Writing, role: NewRole, mayWrite: RoleWriter): Promise<boolean> {
  const name = role.name.toLowerCase();
  if (builtInRoleOf(name) !== undefined) {
    throw accessErrors.RoleDefinitionUpdateNotPermitted(
      `'${role.name}' is a built-in role; built-in roles cannot be changed. Take a new GUID for a custom role.`,
    );
  }
  const existing = await trx.selectFrom("role_definitions").selectAll().where("name", "=", name).executeTakeFirst();
  if (existing !== undefined && existing.tenant_id !== role.tenantId) throw roleDoesNotExist(name);
  const before = existing === undefined ? [] : fromRow(existing).assignableScopes;
  refuseBeyondRights([...before, ...role.assignableScopes], mayWrite);
  await refuseTakenName(trx, role, name);
  const now = scopeOf(trx).clock.now();
  const values = {
    role_name: role.roleName,
    description: role.description,
    permissions: JSON.stringify(role.permissions),
    assignable_scopes: JSON.stringify(role.assignableScopes),
    updated_at: now,
    updated_by: role.by,
  };
  if (existing === undefined) {
    await trx
      .insertInto("role_definitions")
      .values({ ...values, name, tenant_id: role.tenantId, created_at: now, created_by: role.by })
      .execute();
  } else {
    await trx.updateTable("role_definitions").set(values).where("name", "=", name).execute();
  }
  await bumpAccessVersion(trx);
  return existing === undefined;
}

/** The role that went, or undefined when there was none. */
export async function deleteRole(
  trx: Writing,
  tenantId: string,
  name: string,
  mayWrite: RoleWriter,
): Promise<StoredRole | undefined> {
  const key = name.toLowerCase();
  if (builtInRoleOf(key) !== undefined) {
    throw accessErrors.RoleDefinitionUpdateNotPermitted(`'${name}' is a built-in role; it cannot be deleted.`);
  }
  const row = await trx
    .selectFrom("role_definitions")
    .selectAll()
    .where("name", "=", key)
    .where("tenant_id", "=", tenantId)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  refuseBeyondRights(fromRow(row).assignableScopes, mayWrite);
  const assigned = await trx
    .selectFrom("role_assignments")
    .select("id")
    .where("role_name", "=", key)
    .limit(1)
    .executeTakeFirst();
  if (assigned !== undefined) {
    throw accessErrors.RoleDefinitionHasAssignments(
      "There are existing role assignments referencing role (code: RoleDefinitionHasAssignments). Delete them first.",
    );
  }
  await trx.deleteFrom("role_definitions").where("name", "=", key).execute();
  await bumpAccessVersion(trx);
  return fromRow(row);
}

export function roleDoesNotExist(name: string): Error {
  return accessErrors.RoleDefinitionDoesNotExist(
    `The specified role definition with ID '${name.replaceAll("-", "")}' does not exist.`,
  );
}

function refuseBeyondRights(scopes: readonly string[], mayWrite: RoleWriter): void {
  const beyond = scopes.find((scope) => !mayWrite(scope));
  if (beyond !== undefined) {
    throw accessErrors.LinkedAuthorizationFailed(
      `The client may not change a role that can be assigned at '${beyond}': it does not have authorization to perform action 'Microsoft.Authorization/roleDefinitions/write' over that scope.`,
    );
  }
}

async function refuseTakenName(trx: Writing, role: NewRole, name: string): Promise<void> {
  const wanted = role.roleName.toLowerCase();
  const custom = await trx
    .selectFrom("role_definitions")
    .select(["name", "role_name"])
    .where("tenant_id", "=", role.tenantId)
    .execute();
  const taken =
    builtInRoles.some(({ roleName }) => roleName.toLowerCase() === wanted) ||
    custom.some((other) => other.name !== name && other.role_name.toLowerCase() === wanted);
  if (taken) {
    throw accessErrors.RoleDefinitionWithSameNameExists(
      `A role named '${role.roleName}' already exists in this directory. Please use a different display name.`,
    );
  }
}

const permissionsSchema = z.array(
  z.object({
    actions: z.array(z.string()),
    notActions: z.array(z.string()),
    dataActions: z.array(z.string()),
    notDataActions: z.array(z.string()),
  }),
);
const scopesSchema = z.array(z.string());

function fromRow(row: RoleDefinitionRow): StoredRole {
  return {
    name: row.name,
    tenantId: row.tenant_id,
    roleName: row.role_name,
    type: "CustomRole",
    description: row.description,
    permissions: permissionsSchema.parse(JSON.parse(row.permissions)),
    assignableScopes: scopesSchema.parse(JSON.parse(row.assignable_scopes)),
    stamps: {
      createdAt: row.created_at,
      createdBy: row.created_by,
      updatedAt: row.updated_at,
      updatedBy: row.updated_by,
    },
  };
}
