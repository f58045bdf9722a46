// People. A user name is unique over all tenants, whatever its case.

import { scopeOf } from "../../db/transaction.ts";
import { newGuid } from "../../lib/random.ts";
import { requireOwner } from "../access/last-owner.ts";
import { bumpAccessVersion } from "../access/version.ts";
import type { Reading, Writing } from "../database.ts";
import { directoryErrors } from "../errors.ts";
import { forgetPrincipal } from "./service-principals.ts";

export interface User {
  readonly id: string;
  readonly tenantId: string;
  readonly userPrincipalName: string;
  readonly displayName: string;
  readonly mailNickname: string;
  readonly enabled: boolean;
  readonly mustChangePassword: boolean;
  readonly createdAt: number;
}

export interface NewUser {
  readonly tenantId: string;
  readonly userPrincipalName: string;
  readonly displayName: string;
  readonly mailNickname: string;
  readonly passwordHash: string;
  readonly enabled?: boolean;
  readonly mustChangePassword?: boolean;
}

export type UserChanges = Partial<
  Pick<User, "userPrincipalName" | "displayName" | "mailNickname" | "enabled" | "mustChangePassword">
> & { readonly passwordHash?: string };

export async function createUser(trx: Writing, wanted: NewUser): Promise<User> {
  await refuseTakenName(trx, wanted.userPrincipalName);
  const now = scopeOf(trx).clock.now();
  const row = {
    id: newGuid(),
    tenant_id: wanted.tenantId,
    user_principal_name: wanted.userPrincipalName,
    user_principal_name_key: wanted.userPrincipalName.toLowerCase(),
    display_name: wanted.displayName,
    mail_nickname: wanted.mailNickname,
    enabled: (wanted.enabled ?? true) ? 1 : 0,
    password_hash: wanted.passwordHash,
    password_changed_at: now,
    must_change_password: wanted.mustChangePassword === true ? 1 : 0,
    created_at: now,
  };
  await trx.insertInto("directory_users").values(row).execute();
  await bumpAccessVersion(trx);
  return fromRow(row);
}

/** A new password, or a disabled account, ends the sessions that were begun with the old one. */
export async function updateUser(trx: Writing, user: User, changes: UserChanges): Promise<void> {
  const name = changes.userPrincipalName;
  if (name !== undefined && name.toLowerCase() !== user.userPrincipalName.toLowerCase()) {
    await refuseTakenName(trx, name);
  }
  const next = { ...user, ...changes };
  await trx
    .updateTable("directory_users")
    .set({
      user_principal_name: next.userPrincipalName,
      user_principal_name_key: next.userPrincipalName.toLowerCase(),
      display_name: next.displayName,
      mail_nickname: next.mailNickname,
      enabled: next.enabled ? 1 : 0,
      must_change_password: next.mustChangePassword ? 1 : 0,
      ...(changes.passwordHash === undefined
        ? {}
        : { password_hash: changes.passwordHash, password_changed_at: scopeOf(trx).clock.now() }),
    })
    .where("id", "=", user.id)
    .execute();
  if (changes.passwordHash !== undefined || !next.enabled) {
    await trx.deleteFrom("refresh_tokens").where("user_id", "=", user.id).execute();
  }
  if (!next.enabled) await requireOwner(trx);
  await bumpAccessVersion(trx);
}

export async function deleteUser(trx: Writing, user: User): Promise<void> {
  await trx.deleteFrom("directory_users").where("id", "=", user.id).execute();
  await forgetPrincipal(trx, user.id);
}

/** By object id or by user name. */
export async function findUser(reading: Reading, tenantId: string, idOrName: string): Promise<User | undefined> {
  const key = idOrName.toLowerCase();
  const row = await usersIn(reading, tenantId)
    .where((where) => where.or([where("id", "=", key), where("user_principal_name_key", "=", key)]))
    .executeTakeFirst();
  return row && fromRow(row);
}

export async function findUserForSignIn(
  reading: Reading,
  userPrincipalName: string,
): Promise<{ user: User; passwordHash: string } | undefined> {
  const row = await reading
    .selectFrom("directory_users")
    .selectAll()
    .where("user_principal_name_key", "=", userPrincipalName.toLowerCase())
    .executeTakeFirst();
  return row === undefined ? undefined : { user: fromRow(row), passwordHash: row.password_hash };
}

export async function listUsers(reading: Reading, tenantId: string): Promise<User[]> {
  return (await usersIn(reading, tenantId).orderBy("created_at").orderBy("id").execute()).map(fromRow);
}

function usersIn(reading: Reading, tenantId: string) {
  return reading.selectFrom("directory_users").selectAll().where("tenant_id", "=", tenantId);
}

async function refuseTakenName(trx: Writing, userPrincipalName: string): Promise<void> {
  if ((await findUserForSignIn(trx, userPrincipalName)) !== undefined) {
    throw directoryErrors.Request_BadRequest(
      `Another object with the same value for property userPrincipalName already exists: '${userPrincipalName}'.`,
      { target: "userPrincipalName" },
    );
  }
}

function fromRow(row: {
  id: string;
  tenant_id: string;
  user_principal_name: string;
  display_name: string;
  mail_nickname: string;
  enabled: number;
  must_change_password: number;
  created_at: number;
}): User {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    userPrincipalName: row.user_principal_name,
    displayName: row.display_name,
    mailNickname: row.mail_nickname,
    enabled: row.enabled === 1,
    mustChangePassword: row.must_change_password === 1,
    createdAt: row.created_at,
  };
}
