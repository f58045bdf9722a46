import { defineErrors } from "../../lib/errors.ts";

export const pointErrors = defineErrors({
  BMSUserErrorRecoveryPointNotFound: { status: 404, remedy: "List them: az backup recoverypoint list." },
  RecoveryPointBroken: {
    status: 409,
    remedy: "Choose another recovery point, or repair the vault from a second copy.",
  },
});
