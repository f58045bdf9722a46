// The body of a restore, as az and the SDKs send it, and what of it is refused here and why.

import * as z from "zod";
import { tryParseResourceId } from "../../../arm/resource-id.ts";
import { parseBody, type ArmRequest } from "../../../arm/request.ts";
import { restoreErrors } from "../../../backup/restore/errors.ts";

/** Clients send null for what they do not mean. */
const absent = <T>(given: T | null | undefined): T | undefined => given ?? undefined;

/** An empty one is none, as for Azure. */
const id = z
  .string()
  .max(2048)
  .refine((text) => text === "" || tryParseResourceId(text) !== undefined, "must be the id of a resource")
  .nullish()
  .transform((text) => (text === null || text === "" ? undefined : text));

/** Beyond Azure: where on a host, and how. */
const holdfast = z.strictObject({
  /** A folder of this machine that an administrator has allowed for restores. */
  folder: z.string().max(4096).optional(),
  format: z.enum(["raw", "qcow2", "vhd"]).optional(),
  /** The host that the new machine is to run on. */
  hostId: z.string().max(2048).optional(),
  /** Boot from the vault now and copy in the background. */
  instant: z.boolean().optional(),
});

export const restoreRequestSchema = z.looseObject({
  objectType: z.enum(["IaasVMRestoreRequest", "IaasVMRestoreWithRehydrationRequest"]),
  recoveryPointId: z.string().max(200).nullish().transform(absent),
  recoveryType: z.enum(["RestoreDisks", "AlternateLocation", "OriginalLocation"]),
  sourceResourceId: id,
  targetVirtualMachineId: id,
  targetResourceGroupId: id,
  storageAccountId: id,
  virtualNetworkId: id,
  subnetId: id,
  region: z.string().max(100).nullish().transform(absent),
  createNewCloudService: z.boolean().nullish().transform(absent),
  originalStorageAccountOption: z.boolean().nullish().transform(absent),
  restoreDiskLunList: z.array(z.number().int().min(-1).max(63)).max(65).nullish().transform(absent),
  restoreWithManagedDisks: z.boolean().nullish().transform(absent),
  diskEncryptionSetId: id,
  zones: z.array(z.string().max(10)).max(3).nullish().transform(absent),
  encryptionDetails: z
    .looseObject({
      secretKeyVaultId: id,
      kekVaultId: id,
    })
    .nullish()
    .transform(absent),
  identityInfo: z
    .looseObject({
      isSystemAssignedIdentity: z.boolean().nullish().transform(absent),
      managedIdentityResourceId: id,
    })
    .nullish()
    .transform(absent),
  identityBasedRestoreDetails: z.looseObject({ targetStorageAccountId: id }).nullish().transform(absent),
  securedVMDetails: z.looseObject({}).nullish().transform(absent),
  recoveryPointRehydrationInfo: z.looseObject({}).nullish().transform(absent),
  holdfast: holdfast.nullish().transform(absent),
});
export type RestoreRequest = z.output<typeof restoreRequestSchema>;

export function parseRestore(request: ArmRequest): RestoreRequest {
  return checked(parseBody(request, z.looseObject({ properties: restoreRequestSchema })).properties);
}

/** Options that would promise what this service does not have are refused by name. */
export function checked(asked: RestoreRequest): RestoreRequest {
  const refuse = (field: string, why: string): Error =>
    restoreErrors.UserErrorRestoreNotSupported(why, { target: field });
  if (asked.objectType === "IaasVMRestoreWithRehydrationRequest" || asked.recoveryPointRehydrationInfo !== undefined) {
    throw refuse(
      "recoveryPointRehydrationInfo",
      "There is no archive tier here: every recovery point can be read at once. Leave the rehydration out.",
    );
  }
  if ((asked.zones ?? []).length > 0)
    throw refuse(
      "zones",
      `There are no zones here (zones is ${JSON.stringify(asked.zones)}). Leave --target-zone out.`,
    );
  if (asked.diskEncryptionSetId !== undefined) {
    throw refuse(
      "diskEncryptionSetId",
      "There are no disk encryption sets here. Leave --disk-encryption-set-id out; encrypt the file system that holds the data folder instead.",
    );
  }
  if (asked.securedVMDetails !== undefined)
    throw refuse("securedVMDetails", "There are no confidential machines here. Leave securedVMDetails out.");
  return asked;
}
