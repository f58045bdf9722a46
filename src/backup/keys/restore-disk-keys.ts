// Keys of encrypted disks go back to a key vault: their own, or one that is named. Whoever asks must be
// allowed to put keys into that vault, and be allowed the same where the keys came from; otherwise a
// restore into one's own vault would show secrets that one may not read.

import { checkRight, rights, type ObjectKind, type VaultCaller } from "../../keys/access.ts";
import { parseObjectId, type KeyVaults } from "../../keys/key-vaults.ts";
import type { VaultSettings } from "../../keys/vaults.ts";
import { HoldfastError } from "../../lib/errors.ts";
import { restoreErrors } from "../restore/errors.ts";
import type { DiskKeyName, DiskKeyNames, DiskKeys } from "./disk-keys.ts";

export interface KeyTargets {
  /** Resource ids of key vaults; the original ones when absent. */
  readonly secretVaultId?: string | undefined;
  readonly keyVaultId?: string | undefined;
}

export interface KeyRestorer {
  readonly keyVaults: KeyVaults;
  readonly as: VaultCaller;
  /** The backup vault: asked for the right when the key vault that the keys came from is gone. */
  readonly backupVaultId: string;
}

/** Fails unless whoever asks may do `restoreDiskKeys`. */
export async function checkDiskKeys(restorer: KeyRestorer, names: DiskKeyNames, targets: KeyTargets): Promise<void> {
  await check(restorer, names.secret, targets.secretVaultId);
  if (names.key !== undefined) await check(restorer, names.key, targets.keyVaultId);
}

/**
 * Fails unless the new machine may name its keys there, and nothing else has their names: nothing is
 * written over.
 */
export async function checkPlaces(
  { keyVaults, as }: Pick<KeyRestorer, "keyVaults" | "as">,
  { secret, key }: DiskKeyNames,
  targets: KeyTargets,
): Promise<void> {
  const names = [targetName(keyVaults, secret, targets.secretVaultId)];
  if (key !== undefined) names.push(targetName(keyVaults, key, targets.keyVaultId));
  for (const { url } of names) {
    await explained(() => keyVaults.checkObject(url, "get", as));
    await explained(() => keyVaults.assertImportable(url));
  }
}

/** Puts back what is not there; returns the names under which the restored machine finds its keys. */
export async function restoreDiskKeys(
  restorer: KeyRestorer,
  keys: DiskKeys,
  targets: KeyTargets,
): Promise<DiskKeyNames> {
  await checkDiskKeys(restorer, keys, targets);
  await checkPlaces(restorer, keys, targets);
  const secret = await putBack(restorer, keys.secret, targets.secretVaultId);
  return { secret, ...(keys.key === undefined ? {} : { key: await putBack(restorer, keys.key, targets.keyVaultId) }) };
}

async function putBack(
  { keyVaults, as }: KeyRestorer,
  { content, ...original }: DiskKeys["secret"],
  targetId: string | undefined,
): Promise<DiskKeyName> {
  const name = targetName(keyVaults, original, targetId);
  if (await keyVaults.hasObject(name.url)) return name;
  const { vault, kind } = parseObjectId(name.url);
  await explained(() => keyVaults.importObject(vault, kind, Buffer.from(content, "base64"), as));
  return name;
}

async function check(
  { keyVaults, as, backupVaultId }: KeyRestorer,
  original: DiskKeyName,
  targetId: string | undefined,
): Promise<void> {
  const name = targetName(keyVaults, original, targetId);
  const found = await keyVaults.vaultIdOf(name.url);
  if (found?.toLowerCase() !== name.vaultId.toLowerCase()) {
    throw restoreErrors.UserErrorInvalidRestoreRequest(
      `There is no key vault ${name.vaultId}, where the keys of the machine's disks are to go.`,
      {
        target: "encryptionDetails",
        remedy: "Create it, or name another one in encryptionDetails.secretKeyVaultId and kekVaultId.",
      },
    );
  }
  await explained(async () => {
    await keyVaults.checkObject(name.url, "restore", as);
    const { kind, vault } = parseObjectId(original.url);
    const isThere = (await keyVaults.vaultIdOf(original.url))?.toLowerCase() === original.vaultId.toLowerCase();
    if (isThere) return keyVaults.checkObject(original.url, "restore", as);
    const gone = { name: vault, scope: backupVaultId, tenantId: "", settings: byRolesOnly };
    return checkRight(gone, as, kind, rights[kind].restore, undefined);
  });
}

const byRolesOnly: VaultSettings = {
  accessPolicies: [],
  enableRbacAuthorization: true,
  softDeleteRetentionInDays: 0,
  enablePurgeProtection: false,
  admitted: "all",
};

const folders: Readonly<Record<ObjectKind, string>> = { key: "keys", secret: "secrets" };

function targetName(keyVaults: KeyVaults, original: DiskKeyName, targetId: string | undefined): DiskKeyName {
  const { kind, name, version } = parseObjectId(original.url);
  const vaultId = targetId ?? original.vaultId;
  const base = keyVaults.vaultUrl((vaultId.split("/").at(-1) ?? "").toLowerCase());
  return { url: [base, folders[kind], name, ...(version === undefined ? [] : [version])].join("/"), vaultId };
}

async function explained<T>(use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (cause) {
    if (!(cause instanceof HoldfastError)) throw cause;
    if (cause.code === "Forbidden" || cause.code === "Unauthorized")
      throw restoreErrors.UserErrorKeyvaultPermissionsNotConfigured(cause.message, { target: "keyAndSecret", cause });
    throw restoreErrors.UserErrorInvalidRestoreRequest(`The keys cannot be put back: ${cause.message}`, {
      target: "encryptionDetails",
      cause,
      remedy: "Recover or purge what is deleted under that name, or name another key vault in encryptionDetails.",
    });
  }
}
