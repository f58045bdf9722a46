// Keys and secrets alike: versions under a name, soft deletion, lists. What is secret comes and goes
// sealed; this file never opens it.

import { deletionTime } from "../db/deletion-time.ts";
import type { VaultNameRow, VaultVersionRow } from "../db/schema/key-vault.ts";
import { scopeOf } from "../db/transaction.ts";
import { newGuid } from "../lib/random.ts";
import type { ObjectKind } from "./access.ts";
import { keyErrors } from "./errors.ts";
import type { Reader, Vault, Writer } from "./vaults.ts";
import { isGiven } from "./given.ts";

export interface Attributes {
  readonly enabled: boolean;
  /** Seconds since the epoch. */
  readonly nbf?: number;
  readonly exp?: number;
}

export interface Shown {
  readonly attributes: Attributes;
  readonly tags: Readonly<Record<string, string>>;
}

export interface Version<S extends Shown = Shown> {
  readonly vault: string;
  readonly kind: ObjectKind;
  readonly name: string;
  readonly version: string;
  readonly shown: S;
  readonly sealed: Uint8Array;
  readonly createdAt: number;
  readonly changedAt: number;
}

export interface ObjectName {
  readonly vault: string;
  readonly kind: ObjectKind;
  readonly name: string;
}

export interface Deletion {
  readonly deletedAt: number;
  readonly purgeAt: number;
}

export interface Named<S extends Shown = Shown> {
  readonly current: Version<S>;
  readonly deletion: Deletion | undefined;
  /** JSON of a key's rotation policy. */
  readonly policy: string | undefined;
}

const day = 86_400_000;

export async function addVersion<S extends Shown>(
  trx: Writer,
  at: ObjectName,
  shown: S,
  sealed: Uint8Array,
  madeAt?: number,
): Promise<Version<S>> {
  checkName(at);
  const existing = await nameRow(trx, at);
  if (isGiven(existing?.deleted_at)) {
    throw keyErrors.Conflict(
      `${title(at.kind)} ${at.name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the ${at.kind} can only be recovered or purged.`,
      { facts: { inner: "ObjectIsDeletedButRecoverable" } },
    );
  }
  const now = madeAt ?? scopeOf(trx).clock.now();
  const version = newGuid().replaceAll("-", "");
  const name = existing?.name ?? at.name;
  const last = await versionRows(trx, at)
    .select(({ fn }) => fn.max("ordinal").as("last"))
    .executeTakeFirst();
  const row: VaultVersionRow = {
    vault: at.vault,
    kind: at.kind,
    name_key: at.name.toLowerCase(),
    version,
    shown: JSON.stringify(shown),
    sealed,
    created_at: now,
    changed_at: now,
    ordinal: Number(last?.last ?? 0) + 1,
  };
  await trx.insertInto("key_vault_versions").values(row).execute();
  if (existing === undefined) {
    await trx
      .insertInto("key_vault_names")
      .values({
        vault: at.vault,
        kind: at.kind,
        name_key: row.name_key,
        name,
        current_version: version,
        policy: null,
        deleted_at: null,
        purge_at: null,
      })
      .execute();
  } else {
    await trx
      .updateTable("key_vault_names")
      .set({ current_version: version })
      .where("vault", "=", at.vault)
      .where("kind", "=", at.kind)
      .where("name_key", "=", row.name_key)
      .execute();
  }
  return versionFrom<S>(row, name);
}

/** The name with its newest version, deleted or not. */
export async function findNamed<S extends Shown>(reader: Reader, at: ObjectName): Promise<Named<S> | undefined> {
  const row = await nameRow(reader, at);
  if (row === undefined) return undefined;
  const current = await versionRows(reader, at)
    .selectAll()
    .where("version", "=", row.current_version)
    .executeTakeFirstOrThrow();
  const deletion =
    row.deleted_at === null || row.purge_at === null ? undefined : { deletedAt: row.deleted_at, purgeAt: row.purge_at };
  return { current: versionFrom<S>(current, row.name), deletion, policy: row.policy ?? undefined };
}

export async function getDeleted<S extends Shown>(
  reader: Reader,
  at: ObjectName,
): Promise<Named<S> & { deletion: Deletion }> {
  const named = await findNamed<S>(reader, at);
  if (named?.deletion === undefined) throw notFound(at, "deleted");
  return { ...named, deletion: named.deletion };
}

/** A version, the newest if none is named; deleted ones are not there. */
export async function getVersion<S extends Shown>(
  reader: Reader,
  at: ObjectName,
  version: string | undefined,
): Promise<Version<S>> {
  const named = await findNamed<S>(reader, at);
  if (named === undefined || named.deletion !== undefined) throw notFound(at);
  if (version === undefined || version === "") return named.current;
  const row = await versionRows(reader, at).selectAll().where("version", "=", version.toLowerCase()).executeTakeFirst();
  if (row === undefined) throw notFound(at, `version ${version.slice(0, 40)}`);
  return versionFrom<S>(row, named.current.name);
}

export async function changeVersion<S extends Shown>(trx: Writer, version: Version<S>, shown: S): Promise<Version<S>> {
  const changedAt = scopeOf(trx).clock.now();
  await trx
    .updateTable("key_vault_versions")
    .set({ shown: JSON.stringify(shown), changed_at: changedAt })
    .where("vault", "=", version.vault)
    .where("kind", "=", version.kind)
    .where("name_key", "=", version.name.toLowerCase())
    .where("version", "=", version.version)
    .execute();
  return { ...version, shown, changedAt };
}

export async function setPolicy(trx: Writer, at: ObjectName, policy: string): Promise<void> {
  await trx
    .updateTable("key_vault_names")
    .set({ policy })
    .where("vault", "=", at.vault)
    .where("kind", "=", at.kind)
    .where("name_key", "=", at.name.toLowerCase())
    .execute();
}

export async function softDelete(trx: Writer, vault: Vault, at: ObjectName): Promise<void> {
  const now = scopeOf(trx).clock.now();
  await mark(trx, at, { deleted_at: now, purge_at: now + vault.settings.softDeleteRetentionInDays * day });
}

export async function recover(trx: Writer, at: ObjectName): Promise<void> {
  await mark(trx, at, { deleted_at: null, purge_at: null });
}

export async function purge(trx: Writer, at: ObjectName): Promise<void> {
  for (const table of ["key_vault_versions", "key_vault_names"] as const) {
    await trx
      .deleteFrom(table)
      .where("vault", "=", at.vault)
      .where("kind", "=", at.kind)
      .where("name_key", "=", at.name.toLowerCase())
      .execute();
  }
}

export interface ListPart {
  readonly after: string | undefined;
  readonly limit: number;
}

export async function listNames<S extends Shown>(
  reader: Reader,
  vault: string,
  kind: ObjectKind,
  deleted: boolean,
  part: ListPart,
): Promise<Named<S>[]> {
  let select = reader.selectFrom("key_vault_names").selectAll().where("vault", "=", vault).where("kind", "=", kind);
  select = select.where("deleted_at", deleted ? "is not" : "is", null);
  if (part.after !== undefined) select = select.where("name_key", ">", part.after);
  const rows = await select.orderBy("name_key").limit(part.limit).execute();
  const found = await Promise.all(rows.map((row) => findNamed<S>(reader, { vault, kind, name: row.name })));
  return found.filter((named) => named !== undefined);
}

/** Oldest first. */
export async function listVersions<S extends Shown>(
  reader: Reader,
  at: ObjectName,
  part: ListPart,
): Promise<Version<S>[]> {
  const row = await nameRow(reader, at);
  if (row === undefined) return [];
  let select = versionRows(reader, at).selectAll();
  if (part.after !== undefined) select = select.where("version", ">", part.after);
  const rows = await select.orderBy("version").limit(part.limit).execute();
  return rows.map((version) => versionFrom<S>(version, row.name));
}

/** What is past its time goes: deleted objects, and deleted vaults with all that is in them. */
export async function purgeExpired(trx: Writer): Promise<string[]> {
  const now = await deletionTime(trx, scopeOf(trx).clock);
  const names = await trx.selectFrom("key_vault_names").selectAll().where("purge_at", "<=", now).execute();
  for (const row of names) await purge(trx, { vault: row.vault, kind: row.kind as ObjectKind, name: row.name });
  const vaults = await trx.selectFrom("key_vaults").select("name").where("purge_at", "<=", now).execute();
  return vaults.map(({ name }) => name);
}

export function notFound(at: ObjectName, what = ""): Error {
  const make = at.kind === "key" ? keyErrors.KeyNotFound : keyErrors.SecretNotFound;
  return make(
    `A ${what === "deleted" ? "deleted " : ""}${at.kind} with (name/id) ${at.name}${what === "" || what === "deleted" ? "" : ` (${what})`} was not found in this key vault.`,
  );
}

function checkName({ kind, name }: ObjectName): void {
  if (/^[0-9a-zA-Z-]{1,127}$/.test(name)) return;
  throw keyErrors.BadParameter(
    `The ${kind} name '${name.slice(0, 130)}' is invalid: 1 to 127 letters, digits and '-'.`,
  );
}

async function mark(
  trx: Writer,
  at: ObjectName,
  times: { deleted_at: number | null; purge_at: number | null },
): Promise<void> {
  await trx
    .updateTable("key_vault_names")
    .set(times)
    .where("vault", "=", at.vault)
    .where("kind", "=", at.kind)
    .where("name_key", "=", at.name.toLowerCase())
    .execute();
}

function nameRow(reader: Reader, at: ObjectName): Promise<VaultNameRow | undefined> {
  return reader
    .selectFrom("key_vault_names")
    .selectAll()
    .where("vault", "=", at.vault)
    .where("kind", "=", at.kind)
    .where("name_key", "=", at.name.toLowerCase())
    .executeTakeFirst();
}

function versionRows(reader: Reader, at: ObjectName) {
  return reader
    .selectFrom("key_vault_versions")
    .where("vault", "=", at.vault)
    .where("kind", "=", at.kind)
    .where("name_key", "=", at.name.toLowerCase());
}

function versionFrom<S extends Shown>(row: VaultVersionRow, name: string): Version<S> {
  return {
    vault: row.vault,
    kind: row.kind as ObjectKind,
    name,
    version: row.version,
    shown: JSON.parse(row.shown) as S,
    sealed: row.sealed,
    createdAt: row.created_at,
    changedAt: row.changed_at,
  };
}

function title(kind: ObjectKind): string {
  return kind === "key" ? "Key" : "Secret";
}
