// How a machine says that its disks are encrypted: `osDisk.encryptionSettings`, as Azure has it.

import * as z from "zod";
import type { DiskKeyNames } from "./disk-keys.ts";

const sourceVault = z.object({ id: z.string().max(2048) });
const url = z.string().max(2048);

export const encryptionSettings = z.object({
  enabled: z.boolean().nullish(),
  diskEncryptionKey: z.object({ secretUrl: url, sourceVault }).nullish(),
  keyEncryptionKey: z.object({ keyUrl: url, sourceVault }).nullish(),
});
export type EncryptionSettings = z.output<typeof encryptionSettings>;

const shape = z.object({
  properties: z.object({
    storageProfile: z.object({ osDisk: z.object({ encryptionSettings: encryptionSettings.optional() }).optional() }),
  }),
});

/** Of a machine as the wire shows it. */
export function keysInShape(machine: unknown): DiskKeyNames | undefined {
  const found = shape.safeParse(machine).data?.properties.storageProfile.osDisk?.encryptionSettings;
  return found === undefined ? undefined : keysIn(found);
}

export function keysIn({ enabled, diskEncryptionKey, keyEncryptionKey }: EncryptionSettings): DiskKeyNames | undefined {
  if (enabled === false || !diskEncryptionKey) return undefined;
  return {
    secret: { url: diskEncryptionKey.secretUrl, vaultId: diskEncryptionKey.sourceVault.id },
    ...(keyEncryptionKey ? { key: { url: keyEncryptionKey.keyUrl, vaultId: keyEncryptionKey.sourceVault.id } } : {}),
  };
}

export function settingsOf({ secret, key }: DiskKeyNames): EncryptionSettings {
  return {
    enabled: true,
    diskEncryptionKey: { secretUrl: secret.url, sourceVault: { id: secret.vaultId } },
    ...(key === undefined ? {} : { keyEncryptionKey: { keyUrl: key.url, sourceVault: { id: key.vaultId } } }),
  };
}
