// The codes of a vault's data plane, as Azure names them. `inner` facts become `innererror`.

import { defineErrors } from "../lib/errors.ts";

export const keyErrors = defineErrors({
  BadParameter: { status: 400 },
  Conflict: { status: 409 },
  Forbidden: { status: 403 },
  KeyNotFound: { status: 404 },
  SecretNotFound: { status: 404 },
  MethodNotAllowed: { status: 405 },
  NotFound: { status: 404 },
  Unauthorized: { status: 401 },
  VaultNotFound: { status: 404 },
  InternalError: { status: 500 },
});
