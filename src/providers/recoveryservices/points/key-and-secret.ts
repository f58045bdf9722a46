// `keyAndSecret` of a recovery point: the captured keys as backups that `az keyvault key restore` and
// `secret restore` take. They are sealed, and shown only to who might put them back; others see that the
// machine is encrypted.

import type { ArmRequest } from "../../../arm/request.ts";
import { readDiskKeys } from "../../../backup/keys/disk-keys.ts";
import { checkDiskKeys } from "../../../backup/keys/restore-disk-keys.ts";
import type { RecoveryPoint } from "../../../backup/points/point.ts";
import { openVaultStore, readFromTiers } from "../../../backup/points/tiers.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import { HoldfastError } from "../../../lib/errors.ts";
import type { RecoveryServices } from "../services.ts";

export async function keyAndSecretOf(
  services: RecoveryServices,
  { caller, signal }: Pick<ArmRequest, "caller" | "signal">,
  vault: Vault,
  row: RecoveryPoint,
): Promise<object | undefined> {
  if (row.keys === undefined || row.problems !== undefined) return undefined;
  const { keyVaults, vaultCallerOf, secretBox, stores } = services;
  try {
    const as = await vaultCallerOf(caller.principalId);
    await checkDiskKeys({ keyVaults, as, backupVaultId: vault.id }, row.keys, {});
  } catch (error) {
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
  await using opened = await openVaultStore(stores, vault);
  const { store, point } = await readFromTiers(opened, row, signal);
  const { secret, key } = await readDiskKeys(store, point, signal);
  const sealed = (content: string): string => secretBox.seal(Buffer.from(content, "base64")).toString("base64url");
  return {
    kekDetails:
      key === undefined ? null : { keyUrl: key.url, keyVaultId: key.vaultId, keyBackupData: sealed(key.content) },
    bekDetails: { secretUrl: secret.url, secretVaultId: secret.vaultId, secretData: sealed(secret.content) },
    encryptionMechanism: "AzureDiskEncryption",
  };
}
