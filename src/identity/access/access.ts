// The one place that says yes or no. Grants are compiled once per principal and kept until the
// access version moves, which any change of assignments, roles, memberships or accounts makes it do.

import type { Database } from "../../db/database.ts";
import type { HoldfastError } from "../../lib/errors.ts";
import type { Reading } from "../database.ts";
import { enabledPrincipals, groupsOf } from "../directory/principals.ts";
import { accessErrors } from "../errors.ts";
import { compileGrants, noGrants, type Grants } from "./grants.ts";
import { roleDefinitionsByName } from "./role-definitions.ts";
import type { Permission } from "./roles/definition.ts";
import { accessVersionReader } from "./version.ts";

export interface AccessQuestion {
  readonly principal: AccessPrincipal;
  readonly action: string;
  readonly scope: string;
  /** The action is one on data (a key, a secret, a blob), not on the resource. */
  readonly dataAction?: boolean;
}

export interface AccessPrincipal {
  readonly objectId: string;
  /** What the refusal calls it: client id or user name. */
  readonly name: string;
}

export interface Access {
  /** For whoever asks much for one principal: filtering lists, a whole batch. Valid for this request. */
  grantsOf(principalId: string): Promise<Grants>;
  /** Throws AuthorizationFailed unless it is allowed. */
  check(question: AccessQuestion): Promise<void>;
  effectivePermissions(principalId: string, scope: string): Promise<Permission[]>;
}

interface Compiled {
  readonly version: number;
  readonly grants: Promise<Grants>;
}

const compiledPrincipals = 10_000;

export function openAccess(database: Database): Access {
  const readVersion = accessVersionReader(database.kysely);
  const cache = new Map<string, Compiled>();

  const grantsOf = async (principalId: string): Promise<Grants> => {
    const version = await readVersion();
    const known = cache.get(principalId);
    if (known?.version === version) return known.grants;
    const grants = loadGrants(database.kysely, principalId);
    cache.delete(principalId);
    cache.set(principalId, { version, grants });
    if (cache.size > compiledPrincipals) cache.delete(cache.keys().next().value ?? "");
    try {
      return await grants;
    } catch (error) {
      cache.delete(principalId);
      throw error;
    }
  };

  return {
    grantsOf,
    check: async ({ principal, action, scope, dataAction }) => {
      const grants = await grantsOf(principal.objectId);
      if (!grants.allows(action, scope, dataAction === true ? "dataAction" : "action")) {
        throw authorizationFailed(principal, action, scope);
      }
    },
    effectivePermissions: async (principalId, scope) => (await grantsOf(principalId)).effectivePermissions(scope),
  };
}

export function authorizationFailed(principal: AccessPrincipal, action: string, scope: string): HoldfastError {
  return accessErrors.AuthorizationFailed(
    `The client '${principal.name}' with object id '${principal.objectId}' does not have authorization to perform action '${action}' over scope '${scope === "" ? "/" : scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.`,
  );
}

/** Nobody who is gone or disabled has any grant, whatever assignments still name him. */
async function loadGrants(reading: Reading, principalId: string): Promise<Grants> {
  const [principal] = await enabledPrincipals(reading, [principalId]);
  if (principal === undefined) return noGrants;
  const groups = await groupsOf(reading, principalId);
  const assignments = await reading
    .selectFrom("role_assignments")
    .select(["scope_key", "role_name"])
    .where("principal_id", "in", [principalId, ...groups])
    .execute();
  const roles = await roleDefinitionsByName(
    reading,
    assignments.map(({ role_name }) => role_name),
  );
  return compileGrants(
    assignments.map(({ scope_key, role_name }) => ({
      scopeKey: scope_key,
      permissions: roles.get(role_name)?.permissions ?? [],
    })),
  );
}
