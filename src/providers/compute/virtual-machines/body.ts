// What clients send as a virtual machine. az sends back the whole machine that it has read, so
// everything that we render is taken; what is the host's to decide is compared, not stored.

import { z } from "zod";
import { envelopeSchema } from "../../../arm/resources/tracked-routes.ts";
import { encryptionSettings } from "../../../backup/keys/encryption-settings.ts";
import { keptProperties } from "./shape.ts";

export const mostDataDisks = 63;

const json = z.record(z.string(), z.unknown());

const managedDisk = z.object({ id: z.string().optional(), storageAccountType: z.string().nullish() });
const diskSchema = z.object({
  name: z.string().nullish(),
  createOption: z.string().optional(),
  caching: z.string().nullish(),
  diskSizeGB: z.number().nullish(),
  deleteOption: z.string().nullish(),
  managedDisk: managedDisk.nullish(),
});
/** az sends it as it was typed. */
const osType = z
  .string()
  .transform((text) => (text === "" ? text : `${text.charAt(0).toUpperCase()}${text.slice(1).toLowerCase()}`))
  .pipe(z.enum(["Linux", "Windows"]));
export const storageSchema = z.object({
  imageReference: json.nullish(),
  osDisk: diskSchema.extend({ osType: osType.nullish(), encryptionSettings: encryptionSettings.nullish() }).optional(),
  dataDisks: z
    .array(diskSchema.extend({ lun: z.number().int().min(0).max(mostDataDisks), toBeDetached: z.boolean().nullish() }))
    .max(mostDataDisks)
    .nullish(),
});

const propertiesSchema = json.transform((properties, context) => {
  const storage = storageSchema.optional().safeParse(properties["storageProfile"]);
  if (!storage.success) {
    for (const issue of storage.error.issues)
      context.addIssue({ code: "custom", path: ["storageProfile", ...issue.path], message: issue.message });
    return z.NEVER;
  }
  const size = z.object({ vmSize: z.string().optional() }).safeParse(properties["hardwareProfile"] ?? {});
  const host = z.object({ id: z.string() }).nullish().safeParse(properties["host"]);
  return {
    kept: withoutSecrets(properties),
    storageProfile: storage.data,
    hardwareProfile: size.data?.vmSize === undefined ? undefined : { vmSize: size.data.vmSize },
    hostId: host.data?.id,
  };
});

export const machineBodySchema = envelopeSchema.extend({ properties: propertiesSchema.optional() });
export const machinePatchSchema = machineBodySchema.partial();
export type MachineBody = z.output<typeof machinePatchSchema>;
export type StorageProfile = z.output<typeof storageSchema>;
export type BodyDisk = NonNullable<StorageProfile["dataDisks"]>[number];

/** Passwords and first-boot data come once and are for a guest that is made from an image: never kept. */
function withoutSecrets(properties: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const name of keptProperties) {
    const value = properties[name];
    if (value === undefined || value === null) continue;
    if (name !== "osProfile") kept[name] = value;
    else if (typeof value === "object") {
      const { adminPassword: _password, customData: _data, ...profile } = value as Record<string, unknown>;
      kept[name] = profile;
    }
  }
  return kept;
}
