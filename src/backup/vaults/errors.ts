import { defineErrors } from "../../lib/errors.ts";

export const vaultErrors = defineErrors({
  BMSUserErrorVaultDeletionNotAllowed: { status: 400 },
  BMSUserErrorInvalidInput: { status: 400 },
  BMSUserErrorSoftDeleteAlwaysOn: {
    status: 400,
    remedy: "Soft delete that is always on cannot be turned off, or to another state, any more.",
  },
  BMSUserErrorImmutabilityLocked: {
    status: 400,
    remedy: "Immutability that is locked stays. Create another vault for backups that may be shortened.",
  },
  BMSUserErrorImmutabilityViolation: {
    status: 400,
    remedy: "Lengthen the retention, keep it as it is, or turn immutability off if it is not locked.",
  },
  BMSUserErrorRedundancyChangeNotAllowed: {
    status: 400,
    remedy: "Change it before the first item is protected.",
  },
  UserErrorResourceGuardOperationForbidden: { status: 403 },
  VaultPlaceInUse: {
    status: 409,
    remedy: "Choose the place before the first backup, or create another vault.",
  },
  VaultEncryptionInvalid: { status: 400 },
  BMSUserErrorDeletedVaultNotFound: {
    status: 404,
    remedy:
      "A vault is deleted only when it keeps nothing, so none can be had back. List the vaults: az backup vault list.",
  },
  /** Azure has the call; what it works on does not exist here. */
  BMSUserErrorOperationNotSupported: { status: 400 },
});
