// What can stop a restore. The codes are Azure's where Azure has the case.

import { defineErrors } from "../../lib/errors.ts";

export const restoreErrors = defineErrors({
  UserErrorRestoreTargetExists: { status: 409, remedy: "Choose another folder or another name." },
  UserErrorRestoreTargetInvalid: { status: 400 },
  UserErrorInsufficientSpaceForRestore: {
    status: 507,
    remedy: "Free space at the target, restore fewer disks, or choose another target.",
  },
  UserErrorRecoveryPointBroken: {
    status: 409,
    remedy: "Choose another recovery point; the next backup heals what this one lacks.",
  },
  UserErrorRecoveryPointNotFound: { status: 404, remedy: "Choose a recovery point that is listed." },
  UserErrorInvalidDiskLunList: { status: 400, remedy: "Name only LUNs that the recovery point lists." },
  UserErrorInvalidRestoreRequest: { status: 400 },
  UserErrorRestoreNotSupported: { status: 400 },
  UserErrorCrossSubscriptionRestoreInvalidTargetSubscription: {
    status: 400,
    remedy:
      "Restore into the vault's own subscription, or enable cross-subscription restore in the vault's properties.",
  },
  UserErrorCrossRegionRestoreNotEnabled: {
    status: 400,
    remedy: "Restore from the vault itself: leave --use-secondary-region out.",
  },
  UserErrorSecondaryRegionNotAvailable: {
    status: 400,
    remedy:
      "Restore from the vault itself: leave --use-secondary-region out. To restore elsewhere copy the vault's store there and attach it to that server: ./holdfast vault attach.",
  },
  UserErrorCrpReportedUserError: {
    status: 409,
    remedy: "The restored disks are there: correct what is said, then make the machine from them.",
  },
  UserErrorKeyvaultPermissionsNotConfigured: {
    status: 403,
    remedy: "Grant the right to the vault's keys and secrets, then repeat.",
  },
});
