import { defineErrors } from "../../lib/errors.ts";

export const jobErrors = defineErrors({
  BMSUserErrorJobNotFound: { status: 404, remedy: "List the jobs of the vault: az backup job list." },
  BMSUserErrorJobNotCancellable: { status: 400, remedy: "Wait for the job to end." },
  UserErrorBackupOperationInProgress: { status: 409, remedy: "Wait until that job has ended, or cancel it." },
});
