// The keys of encrypted disks in a restore: what is asked for and allowed is known before the job begins,
// and asked again when it puts them back.

import type { ArmRequest } from "../../../arm/request.ts";
import { parseResourceId } from "../../../arm/resource-id.ts";
import { readDiskKeys } from "../../../backup/keys/disk-keys.ts";
import { settingsOf, type EncryptionSettings } from "../../../backup/keys/encryption-settings.ts";
import {
  checkDiskKeys,
  checkPlaces,
  restoreDiskKeys,
  type KeyTargets,
} from "../../../backup/keys/restore-disk-keys.ts";
import type { RecoveryPoint } from "../../../backup/points/point.ts";
import type { ProtectedItem } from "../../../backup/protection/item.ts";
import { restoreErrors } from "../../../backup/restore/errors.ts";
import type { RestoreRequest } from "./restore-request.ts";
import type { Restoring } from "./restore-job.ts";
import type { RestoreServices } from "./restore-services.ts";

export async function keyTargetsOf(
  { keyVaults, vaultCallerOf }: RestoreServices,
  { caller }: ArmRequest,
  item: ProtectedItem,
  point: RecoveryPoint,
  asked: RestoreRequest,
): Promise<KeyTargets | undefined> {
  if (point.keys === undefined) return undefined;
  // Whoever wants disks alone may do without their keys, and without a right to them.
  if (asked.recoveryType === "RestoreDisks" && asked.encryptionDetails === undefined) return undefined;
  if (asked.recoveryType === "OriginalLocation" || asked.holdfast?.instant === true) {
    throw restoreErrors.UserErrorRestoreNotSupported(
      `The disks of ${item.friendlyName} are encrypted: they are restored as a new machine, or as disks.`,
      { target: asked.recoveryType === "OriginalLocation" ? "recoveryType" : "holdfast.instant" },
    );
  }
  const { secretKeyVaultId, kekVaultId } = asked.encryptionDetails ?? {};
  for (const id of [secretKeyVaultId, kekVaultId]) {
    if (id === undefined || parseResourceId(id).type.toLowerCase() === "microsoft.keyvault/vaults") continue;
    throw restoreErrors.UserErrorInvalidRestoreRequest(`'${id}' is not the id of a key vault.`, {
      target: "encryptionDetails",
      remedy: "Send /subscriptions/…/providers/Microsoft.KeyVault/vaults/NAME.",
    });
  }
  const targets = {
    ...(secretKeyVaultId === undefined ? {} : { secretVaultId: secretKeyVaultId }),
    ...(kekVaultId === undefined ? {} : { keyVaultId: kekVaultId }),
  };
  const as = await vaultCallerOf(caller.principalId);
  await checkDiskKeys({ keyVaults, as, backupVaultId: point.vaultKey }, point.keys, targets);
  await checkPlaces({ keyVaults, as }, point.keys, targets);
  return targets;
}

/** Into their key vault, where they are missing; how the new machine names them. */
export async function bringKeysBack({
  services,
  context,
  input,
  row,
  store,
  point,
}: Restoring): Promise<{ readonly encryptionSettings?: EncryptionSettings }> {
  if (row.keys === undefined) return {};
  const keys = await readDiskKeys(store, point, context.signal);
  const as = await services.vaultCallerOf(input.caller.principalId);
  const restorer = { keyVaults: services.keyVaults, as, backupVaultId: row.vaultKey };
  const names = await restoreDiskKeys(restorer, keys, input.keyTargets ?? {});
  return { encryptionSettings: settingsOf(names) };
}

/** Of disks that become no machine: their keys come back if that was asked for, and the job names them. */
export async function bringKeysOfDisksBack(restoring: Restoring): Promise<void> {
  const { context, input, row } = restoring;
  if (row.keys === undefined) return;
  const asked = input.keyTargets !== undefined;
  const { encryptionSettings } = asked ? await bringKeysBack(restoring) : { encryptionSettings: settingsOf(row.keys) };
  const { diskEncryptionKey, keyEncryptionKey } = encryptionSettings ?? {};
  context.setProperty("Disk encryption keys", asked ? "Restored" : "Not restored");
  if (diskEncryptionKey) context.setProperty("Disk encryption secret", diskEncryptionKey.secretUrl);
  if (keyEncryptionKey) context.setProperty("Key encryption key", keyEncryptionKey.keyUrl);
}
