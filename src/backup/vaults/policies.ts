// The policies of a vault and their rows. A change is an event: whoever keeps points reacts to it.

import { scopeOf } from "../../db/transaction.ts";
import type { PolicyRow } from "../../db/schema/vaults.ts";
import { appendEvent } from "../../events/append.ts";
import { newGuid } from "../../lib/random.ts";
import { policyErrors } from "../policy/errors.ts";
import type { Policy } from "../policy/policy.ts";
import { renderPolicy } from "../policy/render-policy.ts";
import type { Reader, Vault, Writer } from "./vaults.ts";

/** Who does it, and as part of what. */
export interface Doer {
  readonly actor: string;
  readonly correlationId: string;
}

export interface StoredPolicy {
  readonly name: string;
  readonly policy: Policy;
  readonly etag: string;
  readonly changedAt: number;
}

type Owner = Pick<Vault, "key">;

export async function findPolicy(reader: Reader, vault: Owner, name: string): Promise<StoredPolicy | undefined> {
  const row = await reader
    .selectFrom("policies")
    .selectAll()
    .where("vault_key", "=", vault.key)
    .where("name_key", "=", name.toLowerCase())
    .executeTakeFirst();
  return row === undefined ? undefined : fromRow(row);
}

export async function getPolicy(reader: Reader, vault: Owner, name: string): Promise<StoredPolicy> {
  const found = await findPolicy(reader, vault, name);
  if (found !== undefined) return found;
  throw policyErrors.BMSUserErrorPolicyNotFound(`The vault has no policy '${name.slice(0, 200)}'.`, { target: name });
}

/** By name, those after `after` (lower case). */
export async function listPolicies(
  reader: Reader,
  vault: Owner,
  page: { readonly after?: string; readonly limit?: number } = {},
): Promise<StoredPolicy[]> {
  let select = reader.selectFrom("policies").selectAll().where("vault_key", "=", vault.key).orderBy("name_key");
  if (page.after !== undefined) select = select.where("name_key", ">", page.after);
  if (page.limit !== undefined) select = select.limit(page.limit);
  return (await select.execute()).map(fromRow);
}

export async function savePolicy(
  trx: Writer,
  vault: Owner,
  name: string,
  policy: Policy,
  by: Doer,
): Promise<StoredPolicy> {
  const existing = await findPolicy(trx, vault, name);
  const row: PolicyRow = {
    vault_key: vault.key,
    name_key: name.toLowerCase(),
    name: existing?.name ?? name,
    management: policy.management,
    policy: JSON.stringify(policy),
    etag: newGuid(),
    changed_at: scopeOf(trx).clock.now(),
  };
  await trx
    .insertInto("policies")
    .values(row)
    .onConflict((conflict) => conflict.columns(["vault_key", "name_key"]).doUpdateSet(row))
    .execute();
  const subjects = [vault.key];
  const data = { name: row.name, before: existing && renderPolicy(existing.policy), after: renderPolicy(policy) };
  appendEvent(trx, { type: "policy.changed", subject: policyKey(vault, name), subjects, data, ...by });
  return fromRow(row);
}

export async function removePolicy(trx: Writer, vault: Owner, name: string, by: Doer): Promise<void> {
  await trx
    .deleteFrom("policies")
    .where("vault_key", "=", vault.key)
    .where("name_key", "=", name.toLowerCase())
    .execute();
  const subject = policyKey(vault, name);
  appendEvent(trx, { type: "policy.deleted", subject, subjects: [vault.key], data: { name }, ...by });
}

/** Lower-case id of a policy. */
export function policyKey(vault: Owner, name: string): string {
  return `${vault.key}/backuppolicies/${name.toLowerCase()}`;
}

function fromRow(row: PolicyRow): StoredPolicy {
  return {
    name: row.name,
    policy: JSON.parse(row.policy) as Policy,
    etag: row.etag,
    changedAt: row.changed_at,
  };
}
