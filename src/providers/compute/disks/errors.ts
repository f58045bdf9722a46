import { defineErrors } from "../../../lib/errors.ts";

export const diskResourceErrors = defineErrors({
  DiskAttachedToMachine: {
    status: 409,
    remedy: "Copy it (az snapshot create --source ID), or make a restore point of the machine.",
  },
  DiskInActiveSasState: {
    status: 409,
    remedy: "Revoke access first: az disk revoke-access, az snapshot revoke-access.",
  },
  DiskRestorePointUsedByCustomer: { status: 409, remedy: "End access to its disks first (endGetAccess)." },
  OperationNotAllowed: { status: 409 },
  RestorePointAlreadyExists: { status: 409, remedy: "Choose another name: a restore point is never made anew." },
  RestorePointCreationInProgress: { status: 409, remedy: "Wait until the other one has been created." },
  RestorePointLimitExceeded: { status: 409, remedy: "Delete restore points that are not needed any more." },
  RestorePointCopyUnsupported: {
    status: 400,
    remedy: "Create a restore point of the machine itself, or a disk from the restore point.",
  },
  SourceInvalid: { status: 400 },
});
