// At a backup the keys of encrypted disks are read from their key vault, as the backup vault's own
// identity. Without them the point could not be used, so a backup that may not read them fails.

import type { VaultCaller } from "../../keys/access.ts";
import type { KeyVaults } from "../../keys/key-vaults.ts";
import { HoldfastError } from "../../lib/errors.ts";
import { JobFailure } from "../jobs/job-error.ts";
import type { DiskKeyName, DiskKeys } from "./disk-keys.ts";
import { keysInShape } from "./encryption-settings.ts";

const refusals = new Set(["Forbidden", "Unauthorized", "UserErrorKeyVaultIdentityMissing"]);

export async function captureDiskKeys(
  keyVaults: Pick<KeyVaults, "exportObject">,
  ownCaller: () => Promise<VaultCaller>,
  shape: Readonly<Record<string, unknown>>,
): Promise<DiskKeys | undefined> {
  const names = keysInShape(shape);
  if (names === undefined) return undefined;
  try {
    const as = await ownCaller();
    const read = async ({ url }: DiskKeyName): Promise<DiskKeys["secret"]> => {
      const { id, vaultId, content } = await keyVaults.exportObject(url, as);
      return { url: id, vaultId, content: content.toString("base64") };
    };
    const secret = await read(names.secret);
    return { v: 1, secret, ...(names.key === undefined ? {} : { key: await read(names.key) }) };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const code = refusals.has(error.code) ? "UserErrorKeyvaultPermissionsNotConfigured" : "DiskEncryptionInternalError";
    throw new JobFailure(code, error.message, error);
  }
}
