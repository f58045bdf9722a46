import { defineErrors } from "../../lib/errors.ts";

export const networkErrors = defineErrors({
  InvalidResourceReference: { status: 400 },
});
