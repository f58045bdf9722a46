import { defineErrors } from "../../lib/errors.ts";

export const protectionErrors = defineErrors({
  BMSUserErrorFabricNotFound: { status: 404, remedy: "Machines are in the fabric Azure." },
  BMSUserErrorContainerObjectNotFound: { status: 404, remedy: "List the containers of the vault." },
  BMSUserErrorProtectedItemNotFound: { status: 404, remedy: "List the items of the vault: az backup item list." },
  BMSUserErrorInvalidItem: {
    status: 400,
    remedy: "Container and item are named after the machine: VM;iaasvmcontainerv2;{group};{machine}.",
  },
  UserErrorVmNotFoundV2: { status: 404, remedy: "List the machines: az vm list." },
  BMSUserErrorVMAlreadyProtected: {
    status: 409,
    remedy: "A machine is in one vault only: stop its protection there and delete its data, or go on there.",
  },
  BMSUserErrorItemSoftDeleted: {
    status: 409,
    remedy: "Take the deletion back first: az backup protection undelete.",
  },
  BMSUserErrorItemNotSoftDeleted: { status: 409 },
  BMSUserErrorPolicyTypeMismatch: { status: 400, remedy: "Choose a policy for virtual machines (AzureIaasVM)." },
  UserErrorInvalidDiskLunList: { status: 400, remedy: "Correct the list of LUNs." },
  UserErrorEncryptedVmNotSupportedWithDiskEx: {
    status: 400,
    remedy: "Use an enhanced policy (V2), or back up all disks.",
  },
  BMSUserErrorItemLimitReached: { status: 400, remedy: "Use another vault." },
  BMSUserErrorVaultRegionMismatch: { status: 400, remedy: "Use a vault in the machine's location." },
  BMSUserErrorProtectionStateInvalid: { status: 400 },
  BMSUserErrorSuspendNeedsImmutability: {
    status: 400,
    remedy: "Turn immutability on, or stop with ProtectionStopped, which keeps the points for ever.",
  },
  BMSUserErrorImmutabilityViolation: {
    status: 400,
    remedy: "Stop protection and keep the data, or turn immutability off if it is not locked.",
  },
  BMSUserErrorItemBusy: { status: 409, remedy: "Wait for the job to end, or cancel it." },
  BMSUserErrorProtectionNotConfigured: { status: 409, remedy: "Resume the protection of the item first." },
  BMSUserErrorOnDemandLimitReached: {
    status: 429,
    remedy: "Wait until the next day (UTC), or back up by schedule.",
  },
  BMSUserErrorInvalidRecoveryPointExpiry: { status: 400 },
});
