// All versions of a key or secret as one sealed text, which only this service opens again: into the
// same vault or another one, never over something that is there.

import { z } from "zod";
import type { ObjectKind } from "./access.ts";
import { keyErrors } from "./errors.ts";
import { findNamed, getVersion, listVersions, type ObjectName, type Shown, type Version } from "./objects.ts";
import type { KeyStore } from "./store.ts";
import type { Reader } from "./vaults.ts";

const backupSchema = z.object({
  format: z.literal("holdfast-vault-object-1"),
  kind: z.enum(["key", "secret"]),
  name: z.string(),
  current: z.string(),
  policy: z.string().optional(),
  versions: z
    .array(
      z.object({
        version: z.string(),
        shown: z.unknown(),
        secret: z.string(),
        createdAt: z.number(),
        changedAt: z.number(),
      }),
    )
    .min(1),
});

const mostVersions = 500;

/** Base64url. */
export async function backUp(store: KeyStore, at: ObjectName): Promise<string> {
  return store.secretBox.seal(await exportObject(store, at)).toString("base64url");
}

/** Not sealed: for who encrypts it with keys of its own, so another server can open it too. */
export async function exportObject(store: KeyStore, at: ObjectName): Promise<Buffer> {
  const reader = store.database.kysely;
  const current = await getVersion(reader, at, undefined);
  const named = await findNamed(reader, at);
  const versions = await listVersions(reader, at, { after: undefined, limit: mostVersions + 1 });
  if (versions.length > mostVersions)
    throw keyErrors.BadParameter(`The ${at.kind} has more than ${mostVersions} versions and cannot be backed up.`);
  versions.sort((left, right) => left.createdAt - right.createdAt);
  const backup: z.output<typeof backupSchema> = {
    format: "holdfast-vault-object-1",
    kind: at.kind,
    name: current.name,
    current: current.version,
    policy: named?.policy,
    versions: versions.map(({ version, shown, sealed, createdAt, changedAt }) => ({
      version,
      shown,
      secret: store.secretBox.open(sealed).toString("base64"),
      createdAt,
      changedAt,
    })),
  };
  return Buffer.from(JSON.stringify(backup), "utf8");
}

export async function restore<S extends Shown>(
  store: KeyStore,
  vault: string,
  kind: ObjectKind,
  text: string,
): Promise<Version<S>> {
  return importObject(store, vault, kind, opened(store, text));
}

export async function importObject<S extends Shown>(
  store: KeyStore,
  vault: string,
  kind: ObjectKind,
  content: Uint8Array,
): Promise<Version<S>> {
  const backup = parse(kind, content);
  const at: ObjectName = { vault, kind, name: backup.name };
  await store.database.transaction(async (trx) => {
    await assertFree(trx, at);
    const name_key = backup.name.toLowerCase();
    for (const [ordinal, one] of backup.versions.entries()) {
      const sealed = store.secretBox.seal(Buffer.from(one.secret, "base64"));
      const row = {
        vault,
        kind,
        name_key,
        version: one.version,
        shown: JSON.stringify(one.shown),
        sealed,
        created_at: one.createdAt,
        changed_at: one.changedAt,
        ordinal,
      };
      await trx.insertInto("key_vault_versions").values(row).execute();
    }
    const row = {
      vault,
      kind,
      name_key,
      name: backup.name,
      current_version: backup.current,
      policy: backup.policy ?? null,
      deleted_at: null,
      purge_at: null,
    };
    await trx.insertInto("key_vault_names").values(row).execute();
  });
  return getVersion<S>(store.database.kysely, at, undefined);
}

/** Nothing has the name, not even deleted. */
export async function assertFree(reader: Reader, at: ObjectName): Promise<void> {
  const named = await findNamed(reader, at);
  if (named === undefined) return;
  throw keyErrors.Conflict(
    `The ${at.kind} '${named.current.name}' is in the vault already${named.deletion === undefined ? "" : " (deleted, but recoverable)"}. A backup is never restored over it.`,
  );
}

function opened(store: KeyStore, text: string): Uint8Array {
  try {
    return store.secretBox.open(Buffer.from(text, "base64url"));
  } catch (cause) {
    throw notOurs(cause);
  }
}

function notOurs(cause: unknown): Error {
  return keyErrors.BadParameter("The backup is not one that this service made.", { cause });
}

function parse(kind: ObjectKind, content: Uint8Array): z.output<typeof backupSchema> {
  let backup: z.output<typeof backupSchema>;
  try {
    backup = backupSchema.parse(JSON.parse(Buffer.from(content).toString("utf8")));
  } catch (cause) {
    throw notOurs(cause);
  }
  if (backup.kind !== kind) throw keyErrors.BadParameter(`The backup holds a ${backup.kind}, not a ${kind}.`);
  return backup;
}
