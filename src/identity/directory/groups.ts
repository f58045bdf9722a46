// Groups, their members (users, service principals, other groups), and who owns what.

import { scopeOf } from "../../db/transaction.ts";
import { newGuid } from "../../lib/random.ts";
import { requireOwner } from "../access/last-owner.ts";
import { bumpAccessVersion } from "../access/version.ts";
import type { Reading, Writing } from "../database.ts";
import { directoryErrors } from "../errors.ts";
import { forgetPrincipal } from "./service-principals.ts";

export interface Group {
  readonly id: string;
  readonly tenantId: string;
  readonly displayName: string;
  readonly mailNickname: string;
  readonly description: string | null;
  readonly createdAt: number;
}

export type NewGroup = Omit<Group, "id" | "createdAt">;

export async function createGroup(trx: Writing, wanted: NewGroup): Promise<Group> {
  const group: Group = { ...wanted, id: newGuid(), createdAt: scopeOf(trx).clock.now() };
  await trx
    .insertInto("directory_groups")
    .values({
      id: group.id,
      tenant_id: group.tenantId,
      display_name: group.displayName,
      mail_nickname: group.mailNickname,
      description: group.description,
      created_at: group.createdAt,
    })
    .execute();
  return group;
}

export async function deleteGroup(trx: Writing, group: Group): Promise<void> {
  await trx.deleteFrom("directory_groups").where("id", "=", group.id).execute();
  await trx.deleteFrom("directory_group_members").where("group_id", "=", group.id).execute();
  await forgetPrincipal(trx, group.id);
}

export async function findGroup(reading: Reading, tenantId: string, id: string): Promise<Group | undefined> {
  const row = await groupsIn(reading, tenantId).where("id", "=", id.toLowerCase()).executeTakeFirst();
  return row && fromRow(row);
}

export async function listGroups(reading: Reading, tenantId: string): Promise<Group[]> {
  return (await groupsIn(reading, tenantId).orderBy("created_at").orderBy("id").execute()).map(fromRow);
}

function groupsIn(reading: Reading, tenantId: string) {
  return reading.selectFrom("directory_groups").selectAll().where("tenant_id", "=", tenantId);
}

export async function addMember(trx: Writing, groupId: string, memberId: string): Promise<void> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto("directory_group_members")
    .values({ group_id: groupId, member_id: memberId })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  if (numInsertedOrUpdatedRows === 0n) throw alreadyReferenced("members");
  await bumpAccessVersion(trx);
}

export async function removeMember(trx: Writing, groupId: string, memberId: string): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom("directory_group_members")
    .where("group_id", "=", groupId)
    .where("member_id", "=", memberId.toLowerCase())
    .executeTakeFirst();
  if (numDeletedRows === 0n) return false;
  await requireOwner(trx);
  await bumpAccessVersion(trx);
  return true;
}

export async function directMembers(reading: Reading, groupId: string): Promise<string[]> {
  const rows = await reading
    .selectFrom("directory_group_members")
    .select("member_id")
    .where("group_id", "=", groupId)
    .orderBy("member_id")
    .execute();
  return rows.map(({ member_id }) => member_id);
}

export async function addOwner(trx: Writing, objectId: string, ownerId: string): Promise<void> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto("directory_owners")
    .values({ object_id: objectId, owner_id: ownerId })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  if (numInsertedOrUpdatedRows === 0n) throw alreadyReferenced("owners");
}

export async function removeOwner(trx: Writing, objectId: string, ownerId: string): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom("directory_owners")
    .where("object_id", "=", objectId)
    .where("owner_id", "=", ownerId.toLowerCase())
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

export async function ownersOf(reading: Reading, objectId: string): Promise<string[]> {
  const rows = await reading
    .selectFrom("directory_owners")
    .select("owner_id")
    .where("object_id", "=", objectId)
    .orderBy("owner_id")
    .execute();
  return rows.map(({ owner_id }) => owner_id);
}

export async function ownedBy(reading: Reading, ownerId: string): Promise<string[]> {
  const rows = await reading
    .selectFrom("directory_owners")
    .select("object_id")
    .where("owner_id", "=", ownerId)
    .orderBy("object_id")
    .execute();
  return rows.map(({ object_id }) => object_id);
}

function alreadyReferenced(property: string): Error {
  return directoryErrors.Request_BadRequest(
    `One or more added object references already exist for the following modified properties: '${property}'.`,
  );
}

function fromRow(row: {
  id: string;
  tenant_id: string;
  display_name: string;
  mail_nickname: string;
  description: string | null;
  created_at: number;
}): Group {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    displayName: row.display_name,
    mailNickname: row.mail_nickname,
    description: row.description,
    createdAt: row.created_at,
  };
}
