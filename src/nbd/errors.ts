import { defineErrors } from "../lib/errors.ts";

export const nbdErrors = defineErrors({
  NbdUnreachable: { status: 502, remedy: "Check that the NBD server runs and that its socket may be opened." },
  NbdConnectionLost: { status: 502, remedy: "Check that the NBD server still runs." },
  NbdProtocolViolation: { status: 502, remedy: "The NBD server is broken or hostile; use another one." },
  NbdRefused: { status: 502, remedy: "Compare the export's name and the TLS settings with the server's." },
  NbdTimedOut: { status: 504, remedy: "Check the load and the storage of the NBD server." },
  NbdRequestFailed: { status: 502, remedy: "Look into the NBD server's own log." },
  NbdRequestInvalid: { status: 400 },
  NbdWritesLost: { status: 502, remedy: "Write the whole disk again: what was not flushed may be lost." },
  NbdExportChanged: { status: 502, remedy: "Begin again: what was read so far belongs to another disk." },
  NbdExportTaken: { status: 409, remedy: "Choose another export name." },
});
