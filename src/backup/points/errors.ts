import { defineErrors } from "../../lib/errors.ts";

export const pointErrors = defineErrors({
  BMSUserErrorRecoveryPointNotFound: { status: 404, remedy: "List them: az backup recoverypoint list." },
  UserErrorInstantRpNotFound: { status: 404, remedy: "Choose a recovery point that the vault holds." },
  RecoveryPointBroken: {
    status: 409,
    remedy: "Choose another recovery point, or repair the vault from a second copy.",
  },
});
