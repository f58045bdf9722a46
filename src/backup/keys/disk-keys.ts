// The keys of encrypted disks in a recovery point: the secret that opens them (Azure's BEK), and the key
// that wraps it (KEK) if there is one. They are an attachment of the point, so the vault's own keys
// encrypt them and a vault that is attached to another server has them still; rows know their names only.

import * as z from "zod";
import { readAttachment, type Point, type Vault as Store } from "../../store/index.ts";
import type { Vault } from "../vaults/vaults.ts";

const keyName = z.object({
  /** At a machine its address as it was given; in a point always with the version that it meant then. */
  url: z.string(),
  /** The resource id of its key vault. */
  vaultId: z.string(),
});
export type DiskKeyName = z.output<typeof keyName>;

export const diskKeyNames = z.object({ secret: keyName, key: keyName.optional() });
export type DiskKeyNames = z.output<typeof diskKeyNames>;

const captured = keyName.extend({ content: z.base64() });
const diskKeys = z.object({ v: z.literal(1), secret: captured, key: captured.optional() });
export type DiskKeys = z.output<typeof diskKeys>;

/** What the machine's disks need, read as the vault's own identity; undefined when none is encrypted. */
export type CaptureDiskKeys = (vault: Vault, shape: Readonly<Record<string, unknown>>) => Promise<DiskKeys | undefined>;

export const diskKeysAttachment = "disk-keys.json";

export function namesOf({ secret, key }: DiskKeys): DiskKeyNames {
  const name = ({ url, vaultId }: DiskKeyName): DiskKeyName => ({ url, vaultId });
  return { secret: name(secret), ...(key === undefined ? {} : { key: name(key) }) };
}

export async function readDiskKeys(store: Store, point: Point, signal?: AbortSignal): Promise<DiskKeys> {
  return diskKeys.parse(JSON.parse((await readAttachment(store, point, diskKeysAttachment, signal)).toString("utf8")));
}
