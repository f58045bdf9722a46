// Vaults and their rows. The rest of the service finds a vault here by its id; what it is on the wire
// is the provider's.

import type { Kysely, Transaction } from "kysely";
import type { Tables } from "../../db/schema.ts";
import type { VaultRow } from "../../db/schema/vaults.ts";
import { scopeOf } from "../../db/transaction.ts";
import { appendEvent } from "../../events/append.ts";
import { newGuid } from "../../lib/random.ts";
import { seededPolicies } from "../policy/seeds.ts";
import { savePolicy, type Doer } from "./policies.ts";
import { defaultSettings, vaultSettings, type VaultSettings } from "./settings.ts";

export type Reader = Kysely<Tables>;
export type Writer = Transaction<Tables>;

export interface Vault {
  /** Lower-case id: how rows of items, jobs and points name their vault. */
  readonly key: string;
  readonly id: string;
  readonly name: string;
  /** By which its store is named. */
  readonly guid: string;
  readonly location: string;
  readonly settings: VaultSettings;
  readonly createdAt: number;
}

/** What others keep in a vault. They say what stands in the way of its deletion, and who uses its policies. */
export interface VaultUse {
  /** Sentences, one for each thing. */
  blockers(reader: Reader, vault: Vault): Promise<readonly string[]>;
  /** How many items each policy protects, by its name in lower case. */
  itemsByPolicy(reader: Reader, vault: Vault): Promise<ReadonlyMap<string, number>>;
}

export async function findVault(reader: Reader, id: string): Promise<Vault | undefined> {
  const row = await reader.selectFrom("vaults").selectAll().where("key", "=", id.toLowerCase()).executeTakeFirst();
  return row === undefined ? undefined : fromRow(row);
}

export async function listVaults(reader: Reader): Promise<Vault[]> {
  const rows = await reader.selectFrom("vaults").selectAll().orderBy("key").execute();
  return rows.map(fromRow);
}

/** A new vault has Azure's three policies. */
export async function createVault(trx: Writer, draft: { id: string; location: string }, by: Doer): Promise<Vault> {
  const row: VaultRow = {
    key: draft.id.toLowerCase(),
    id: draft.id,
    guid: newGuid(),
    location: draft.location,
    settings: JSON.stringify(defaultSettings),
    place_secret: null,
    unlock: null,
    created_at: scopeOf(trx).clock.now(),
  };
  await trx.insertInto("vaults").values(row).execute();
  appendEvent(trx, { type: "vault.created", subject: row.key, data: { id: draft.id }, ...by });
  const vault = fromRow(row);
  for (const [name, policy] of Object.entries(seededPolicies)) await savePolicy(trx, vault, name, policy, by);
  return vault;
}

/** Whether the new settings may follow the old ones, `checkChange` has said before. */
export async function saveSettings(trx: Writer, vault: Vault, settings: VaultSettings, by: Doer): Promise<Vault> {
  const text = JSON.stringify(settings);
  if (text === JSON.stringify(vault.settings)) return vault;
  await trx.updateTable("vaults").set({ settings: text }).where("key", "=", vault.key).execute();
  const data = { before: shown(vault.settings), after: shown(settings) };
  appendEvent(trx, { type: "vault.changed", subject: vault.key, data, ...by });
  return { ...vault, settings };
}

/** With its policies. Its bytes are dropped by whoever hears `vault.deleted`. */
export async function removeVault(trx: Writer, vault: Vault, by: Doer): Promise<void> {
  await trx.deleteFrom("policies").where("vault_key", "=", vault.key).execute();
  await trx.deleteFrom("vaults").where("key", "=", vault.key).execute();
  appendEvent(trx, { type: "vault.deleted", subject: vault.key, data: { id: vault.id, guid: vault.guid }, ...by });
}

/** Settings as events tell them. */
function shown({ softDelete, enhancedSecurity, immutability, redundancy, encryption, guard }: VaultSettings): object {
  return {
    softDelete,
    enhancedSecurity,
    immutability,
    redundancy,
    encryptionKey: encryption?.keyUri,
    guard: guard?.resourceGuardResourceId,
  };
}

function fromRow(row: VaultRow): Vault {
  return {
    key: row.key,
    id: row.id,
    name: row.id.split("/").at(-1) ?? "",
    guid: row.guid,
    location: row.location,
    settings: vaultSettings.parse(JSON.parse(row.settings)),
    createdAt: row.created_at,
  };
}
