import { defineErrors } from "../../lib/errors.ts";

export const computeErrors = defineErrors({
  ArtifactNotFound: { status: 404 },
  CommandNotSupported: { status: 400 },
  GuestAgentUnavailable: { status: 409 },
  InvalidResourceReference: { status: 400 },
  ImageNotAvailable: { status: 400 },
  KeyVaultAccessForbidden: { status: 403, remedy: "Ask for the right to read that secret or key, then repeat." },
  OperationNotAllowed: { status: 409 },
  RunCommandFailed: { status: 409 },
});
