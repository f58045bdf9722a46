// `osDisk.encryptionSettings`: whoever names a key for a machine's disks must be allowed to read it.
// Otherwise a backup of the machine, which reads it as the vault, would carry it to somebody else.

import { keysIn } from "../../../backup/keys/encryption-settings.ts";
import type { DiskKeyName, DiskKeyNames } from "../../../backup/keys/disk-keys.ts";
import { armErrors } from "../../../arm/errors.ts";
import type { ArmRequest } from "../../../arm/request.ts";
import { parseObjectId, type ObjectId } from "../../../keys/key-vaults.ts";
import { HoldfastError } from "../../../lib/errors.ts";
import { computeErrors } from "../errors.ts";
import type { ComputeServices } from "../services.ts";
import type { MachineBody } from "./body.ts";

/** What the machine is to keep: as before when nothing is said of it, undefined when it is taken away. */
export async function chosenKeys(
  services: ComputeServices,
  { caller }: Pick<ArmRequest, "caller">,
  body: MachineBody,
  before: DiskKeyNames | undefined,
): Promise<DiskKeyNames | undefined> {
  const asked = body.properties?.storageProfile?.osDisk?.encryptionSettings;
  if (asked === undefined || asked === null) return before;
  const names = keysIn(asked);
  if (names === undefined || JSON.stringify(names) === JSON.stringify(before)) return names;
  await check(services, caller.principalId, names.secret, "secret", "diskEncryptionKey.secretUrl");
  if (names.key !== undefined) await check(services, caller.principalId, names.key, "key", "keyEncryptionKey.keyUrl");
  return names;
}

async function check(
  { keyVaults, vaultCallerOf }: ComputeServices,
  principalId: string,
  { url, vaultId }: DiskKeyName,
  kind: ObjectId["kind"],
  field: string,
): Promise<void> {
  const path = `storageProfile.osDisk.encryptionSettings.${field}`;
  const invalid = (why: string, cause?: unknown): Error =>
    armErrors.InvalidParameter(`'${path}' is '${url.slice(0, 200)}': ${why}`, { target: path, cause });
  try {
    if (parseObjectId(url).kind !== kind) throw invalid(`it must name a ${kind}.`);
    await keyVaults.checkObject(url, "get", await vaultCallerOf(principalId));
    if ((await keyVaults.vaultIdOf(url))?.toLowerCase() !== vaultId.toLowerCase())
      throw invalid(`it is not in the sourceVault ${vaultId.slice(0, 200)}.`);
    if (!(await keyVaults.hasObject(url))) throw invalid(`there is no such ${kind}, or it is deleted.`);
  } catch (cause) {
    if (!(cause instanceof HoldfastError) || cause.code === "InvalidParameter") throw cause;
    if (cause.code === "Forbidden")
      throw computeErrors.KeyVaultAccessForbidden(`'${path}': ${cause.message}`, { target: path, cause });
    throw invalid(cause.message, cause);
  }
}
