import { defineErrors } from "../../lib/errors.ts";

export const policyErrors = defineErrors({
  BMSUserErrorInvalidPolicyInput: {
    status: 400,
    remedy: "Correct the fields that `details` names and send the policy again.",
  },
  BMSUserErrorPolicyObjectInUse: {
    status: 400,
    remedy: "Give these items another policy, or stop their protection and delete their backup data, then delete it.",
  },
  BMSUserErrorPolicyNotFound: { status: 404, remedy: "List the policies of the vault: az backup policy list." },
  /** One field of a policy: a detail of BMSUserErrorInvalidPolicyInput. */
  InvalidPolicyField: { status: 400 },
});
