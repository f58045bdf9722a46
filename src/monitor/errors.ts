import { defineErrors } from "../lib/errors.ts";

export const monitorErrors = defineErrors({
  AlertNotFound: { status: 404 },
  RuleInvalid: { status: 400 },
});
