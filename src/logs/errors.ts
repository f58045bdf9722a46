// What can go wrong with logs, besides what a query's own text can get wrong (kql/errors.ts).

import { defineErrors } from "../lib/errors.ts";

export const logErrors = defineErrors({
  JournalDamaged: {
    status: 500,
    remedy: "Restore the logs folder, or move the damaged segment away to go on without its records.",
  },
  LogsUnavailable: { status: 503, remedy: "Look at the disk of the data folder and start the service again." },
  ManifestDamaged: { status: 500, remedy: "Restore the logs folder from a backup." },
  RecordInvalid: { status: 400 },
  RecordTooLarge: { status: 413 },
  TableUnknown: { status: 404 },
});
