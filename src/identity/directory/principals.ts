// What users, groups and service principals have in common: an object id, a name, a type.

import type { Reading } from "../database.ts";

export type PrincipalType = "User" | "Group" | "ServicePrincipal";

export interface PrincipalSummary {
  readonly id: string;
  readonly type: PrincipalType;
  readonly tenantId: string;
  readonly displayName: string;
  /** User name or client id; the display name of a group. */
  readonly name: string;
  readonly enabled: boolean;
}

export async function findPrincipals(reading: Reading, ids: readonly string[]): Promise<PrincipalSummary[]> {
  const wanted = [...new Set(ids.map((id) => id.toLowerCase()))];
  if (wanted.length === 0) return [];
  const users = await reading
    .selectFrom("directory_users")
    .select(["id", "tenant_id", "display_name", "user_principal_name as name", "enabled"])
    .where("id", "in", wanted)
    .execute();
  const services = await reading
    .selectFrom("directory_service_principals")
    .select(["id", "tenant_id", "display_name", "app_id as name", "enabled"])
    .where("id", "in", wanted)
    .execute();
  const groups = await reading
    .selectFrom("directory_groups")
    .select(["id", "tenant_id", "display_name", "display_name as name"])
    .where("id", "in", wanted)
    .execute();
  const summary =
    (type: PrincipalType) =>
    (row: {
      id: string;
      tenant_id: string;
      display_name: string;
      name: string;
      enabled?: number;
    }): PrincipalSummary => ({
      id: row.id,
      type,
      tenantId: row.tenant_id,
      displayName: row.display_name,
      name: row.name,
      enabled: row.enabled !== 0,
    });
  return [...users.map(summary("User")), ...services.map(summary("ServicePrincipal")), ...groups.map(summary("Group"))];
}

export async function enabledPrincipals(reading: Reading, ids: readonly string[]): Promise<PrincipalSummary[]> {
  return (await findPrincipals(reading, ids)).filter(({ enabled }) => enabled);
}

/** Ids of the groups that something is in, directly or through other groups. */
export async function groupsOf(reading: Reading, memberId: string): Promise<string[]> {
  return closure([memberId], async (members) => {
    const rows = await reading
      .selectFrom("directory_group_members")
      .select("group_id as id")
      .where("member_id", "in", members)
      .execute();
    return rows.map(({ id }) => id);
  });
}

/** Ids of everything that is in some groups, directly or through other groups. */
export async function membersOf(reading: Reading, groupIds: readonly string[]): Promise<string[]> {
  return closure(groupIds, async (groups) => {
    const rows = await reading
      .selectFrom("directory_group_members")
      .select("member_id as id")
      .where("group_id", "in", groups)
      .execute();
    return rows.map(({ id }) => id);
  });
}

/** Follows a relation until nothing new comes; groups may contain each other in a circle. */
async function closure(start: readonly string[], next: (ids: string[]) => Promise<string[]>): Promise<string[]> {
  const seen = new Set<string>(start);
  const found = new Set<string>();
  let front = [...start];
  while (front.length > 0) {
    const reached = new Set(await next(front));
    for (const id of reached) found.add(id);
    front = [...reached].filter((id) => !seen.has(id));
    for (const id of front) seen.add(id);
  }
  return [...found];
}
