import { defineErrors } from "../../lib/errors.ts";

export const backupErrors = defineErrors({
  BackupVersionUnknown: { status: 400, remedy: "Restore it with the release that wrote it, or a newer one." },
  BackupDamaged: { status: 400, remedy: "Take another copy of the backup; nothing was restored from this one." },
  RestoreTargetNotEmpty: { status: 409, remedy: "Name a database that is empty, or a file that is not there yet." },
});
