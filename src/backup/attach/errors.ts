import { defineErrors } from "../../lib/errors.ts";

export const attachErrors = defineErrors({
  VaultNotEmpty: { status: 409, remedy: "Attach the store to a new vault." },
  MachineProtectedElsewhere: { status: 409, remedy: "Restore its points from there, or stop that protection first." },
  KeyInvalid: { status: 400, remedy: "Give the 32 bytes of the platform key, or the vault's recovery key." },
});
