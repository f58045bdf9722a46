import { defineErrors } from "../../lib/errors.ts";

export const computeErrors = defineErrors({
  ArtifactNotFound: { status: 404 },
  CommandNotSupported: { status: 400 },
  GuestAgentUnavailable: { status: 409 },
  InvalidResourceReference: { status: 400 },
  ImageNotAvailable: { status: 400 },
  OperationNotAllowed: { status: 409 },
  RunCommandFailed: { status: 409 },
});
