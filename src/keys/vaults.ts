// Vaults as the data plane sees them: name, scope, who may do what, what happens on deletion.

import type { Kysely, Transaction } from "kysely";
import { z } from "zod";
import type { Tables } from "../db/schema.ts";
import type { KeyVaultRow } from "../db/schema/key-vault.ts";
import { scopeOf } from "../db/transaction.ts";
import { admittedClients } from "../lib/admitted-clients.ts";
import { keyErrors } from "./errors.ts";

export type Reader = Kysely<Tables>;
export type Writer = Transaction<Tables>;

export const accessPolicySchema = z.object({
  tenantId: z.string(),
  objectId: z.string(),
  applicationId: z.string().nullish(),
  permissions: z.object({
    keys: z.array(z.string()).nullish(),
    secrets: z.array(z.string()).nullish(),
    certificates: z.array(z.string()).nullish(),
    storage: z.array(z.string()).nullish(),
  }),
});

const settingsSchema = z.object({
  accessPolicies: z.array(accessPolicySchema),
  enableRbacAuthorization: z.boolean(),
  softDeleteRetentionInDays: z.number(),
  enablePurgeProtection: z.boolean(),
  /** From which addresses its keys and secrets may be reached. */
  admitted: admittedClients.default("all"),
});

export type AccessPolicy = z.output<typeof accessPolicySchema>;
export type VaultSettings = z.output<typeof settingsSchema>;

export interface Vault {
  readonly name: string;
  readonly scope: string;
  readonly tenantId: string;
  readonly settings: VaultSettings;
}

export interface DeletedVault extends Vault {
  /** The resource as it was. */
  readonly resource: unknown;
  readonly deletedAt: number;
  readonly purgeAt: number;
}

const day = 86_400_000;

export function isVaultName(name: string): boolean {
  return /^[A-Za-z](?!.*--)[A-Za-z0-9-]{1,22}[A-Za-z0-9]$/.test(name);
}

export async function findVault(reader: Reader, name: string): Promise<Vault | undefined> {
  const row = await rowOf(reader, name);
  return row === undefined || row.deleted !== null ? undefined : fromRow(row);
}

export async function findDeletedVault(reader: Reader, name: string): Promise<DeletedVault | undefined> {
  const row = await rowOf(reader, name);
  return row === undefined ? undefined : deletedFromRow(row);
}

export async function listDeletedVaults(reader: Reader): Promise<DeletedVault[]> {
  const rows = await reader
    .selectFrom("key_vaults")
    .selectAll()
    .where("deleted", "is not", null)
    .orderBy("name")
    .execute();
  return rows.map(deletedFromRow).filter((vault) => vault !== undefined);
}

/** Creates or changes; the name must not belong to a deleted vault. */
export async function putVault(trx: Writer, vault: Vault): Promise<void> {
  const existing = await rowOf(trx, vault.name);
  if (
    existing !== undefined &&
    (existing.deleted !== null || existing.scope.toLowerCase() !== vault.scope.toLowerCase())
  ) {
    throw keyErrors.Conflict(`The vault name '${vault.name}' is already in use.`);
  }
  const row: KeyVaultRow = {
    name: vault.name.toLowerCase(),
    scope: vault.scope,
    tenant_id: vault.tenantId,
    settings: JSON.stringify(vault.settings),
    deleted: null,
    deleted_at: null,
    purge_at: null,
  };
  await trx
    .insertInto("key_vaults")
    .values(row)
    .onConflict((conflict) => conflict.column("name").doUpdateSet(row))
    .execute();
}

/** Nobody reaches what is in it any more, but it is kept until its time is over. */
export async function softDeleteVault(trx: Writer, name: string, resource: unknown): Promise<void> {
  const vault = await findVault(trx, name);
  if (vault === undefined) return;
  const now = scopeOf(trx).clock.now();
  await trx
    .updateTable("key_vaults")
    .set({
      deleted: JSON.stringify(resource),
      deleted_at: now,
      purge_at: now + vault.settings.softDeleteRetentionInDays * day,
    })
    .where("name", "=", name.toLowerCase())
    .execute();
}

export async function undeleteVault(trx: Writer, name: string): Promise<void> {
  await trx
    .updateTable("key_vaults")
    .set({ deleted: null, deleted_at: null, purge_at: null })
    .where("name", "=", name.toLowerCase())
    .execute();
}

export async function purgeVault(trx: Writer, name: string): Promise<void> {
  const key = name.toLowerCase();
  for (const table of ["key_vault_versions", "key_vault_names"] as const)
    await trx.deleteFrom(table).where("vault", "=", key).execute();
  await trx.deleteFrom("key_vaults").where("name", "=", key).where("deleted", "is not", null).execute();
}

function rowOf(reader: Reader, name: string): Promise<KeyVaultRow | undefined> {
  return reader.selectFrom("key_vaults").selectAll().where("name", "=", name.toLowerCase()).executeTakeFirst();
}

function fromRow(row: KeyVaultRow): Vault {
  return {
    name: row.name,
    scope: row.scope,
    tenantId: row.tenant_id,
    settings: settingsSchema.parse(JSON.parse(row.settings)),
  };
}

function deletedFromRow(row: KeyVaultRow): DeletedVault | undefined {
  if (row.deleted === null || row.deleted_at === null || row.purge_at === null) return undefined;
  return { ...fromRow(row), resource: JSON.parse(row.deleted), deletedAt: row.deleted_at, purgeAt: row.purge_at };
}
