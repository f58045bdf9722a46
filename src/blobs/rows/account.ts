// Accounts: a name that is unique everywhere, two keys, and the scope that access is decided at.

import type { Kysely, Transaction } from "kysely";
import type { Tables } from "../../db/schema.ts";
import { scopeOf } from "../../db/transaction.ts";
import { randomBytes } from "../../lib/random.ts";
import { admittedClients, type AdmittedClients } from "../../lib/admitted-clients.ts";
import type { SecretBox } from "../../lib/secret-box.ts";
import { blobErrors } from "../errors.ts";

export type Reader = Kysely<Tables>;
export type Writer = Transaction<Tables>;

export type AccountKeys = readonly [string, string];

/** What every request has to keep to. */
export type AccountRules = Pick<Account, "allowsSharedKey" | "admitted">;

export interface Account {
  readonly name: string;
  readonly scope: string;
  /** Base64. */
  readonly keys: AccountKeys;
  readonly allowsSharedKey: boolean;
  readonly admitted: AdmittedClients;
  readonly createdAt: number;
}

export async function findAccount(reader: Reader, box: SecretBox, name: string): Promise<Account | undefined> {
  const row = await reader.selectFrom("blob_accounts").selectAll().where("name", "=", name).executeTakeFirst();
  if (row === undefined) return undefined;
  return {
    name: row.name,
    scope: row.scope,
    keys: JSON.parse(box.open(row.keys).toString("utf8")) as AccountKeys,
    allowsSharedKey: row.allows_shared_key === 1,
    admitted: admittedClients.parse(JSON.parse(row.admitted)),
    createdAt: row.created_at,
  };
}

export async function isNameTaken(reader: Reader, name: string): Promise<boolean> {
  return (
    (await reader.selectFrom("blob_accounts").select("name").where("name", "=", name).executeTakeFirst()) !== undefined
  );
}

export async function insertAccount(
  trx: Writer,
  box: SecretBox,
  account: AccountRules & { readonly name: string; readonly scope: string },
): Promise<void> {
  if (await isNameTaken(trx, account.name)) {
    throw blobErrors.AccountAlreadyExists(`The storage account named '${account.name}' is already taken.`);
  }
  await trx
    .insertInto("blob_accounts")
    .values({
      name: account.name,
      scope: account.scope,
      keys: sealKeys(box, [newKey(), newKey()]),
      ...ruleColumns(account),
      created_at: scopeOf(trx).clock.now(),
    })
    .execute();
}

export async function setRules(trx: Writer, name: string, rules: AccountRules): Promise<void> {
  await trx.updateTable("blob_accounts").set(ruleColumns(rules)).where("name", "=", name).execute();
}

function ruleColumns({ allowsSharedKey, admitted }: AccountRules): { allows_shared_key: number; admitted: string } {
  return { allows_shared_key: allowsSharedKey ? 1 : 0, admitted: JSON.stringify(admitted) };
}

/** What was signed with the old key is refused from now on. */
export async function replaceKey(trx: Writer, box: SecretBox, name: string, which: 0 | 1): Promise<void> {
  const account = await findAccount(trx, box, name);
  if (account === undefined) throw blobErrors.ResourceNotFound(`There is no storage account '${name}'.`);
  const keys: AccountKeys = which === 0 ? [newKey(), account.keys[1]] : [account.keys[0], newKey()];
  await trx
    .updateTable("blob_accounts")
    .set({ keys: sealKeys(box, keys) })
    .where("name", "=", name)
    .execute();
}

function newKey(): string {
  return randomBytes(64).toString("base64");
}

function sealKeys(box: SecretBox, keys: AccountKeys): Uint8Array {
  return box.seal(Buffer.from(JSON.stringify(keys), "utf8"));
}
