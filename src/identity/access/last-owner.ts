// Somebody must always be able to hand out access. Whatever could take the last one away (an
// assignment, an account, a membership) asks here before it commits.

import type { Writing } from "../database.ts";
import { enabledPrincipals, membersOf } from "../directory/principals.ts";
import { accessErrors } from "../errors.ts";
import { ownerRole } from "./roles/general.ts";

export async function requireOwner(trx: Writing): Promise<void> {
  const owners = await trx
    .selectFrom("role_assignments")
    .select(["principal_id", "principal_type"])
    .where("scope_key", "=", "")
    .where("role_name", "=", ownerRole)
    .execute();
  const groups = owners
    .filter(({ principal_type }) => principal_type === "Group")
    .map(({ principal_id }) => principal_id);
  const candidates = [...owners.map(({ principal_id }) => principal_id), ...(await membersOf(trx, groups))];
  const able = (await enabledPrincipals(trx, candidates)).some(({ type }) => type !== "Group");
  if (!able) {
    throw accessErrors.CannotDeleteLastRbacAdminAssignment(
      "Cannot delete the last RBAC admin assignment: nobody would be Owner at the root scope any more.",
    );
  }
}
