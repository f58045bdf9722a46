import { defineErrors } from "../../lib/errors.ts";

export const fileRecoveryErrors = defineErrors({
  FileRecoveryUnavailable: {
    status: 409,
    remedy:
      "On a Debian host install qemu-system-x86 and let `./holdfast files prepare` fetch the rest; elsewhere copy the folder `helper` from the data folder of such a host.",
  },
  FileRecoverySessionFailed: { status: 502, remedy: "Repeat the request; a new session is begun." },
  FileRecoverySessionsBusy: { status: 429, remedy: "Wait for another session to end, or end one." },
  FileRecoveryPathInvalid: { status: 400 },
  FileNotFound: { status: 404, remedy: "List the folder above it." },
  NotAFile: { status: 400, remedy: "Ask for an archive of it: format zip or tar." },
  FileUnreadable: {
    status: 500,
    remedy: "The file system in this recovery point is damaged there; try an older point.",
  },
  FolderTooLarge: { status: 413, remedy: "Ask for a folder below it." },
  VolumeNotFound: { status: 404, remedy: "List the volumes of the recovery point." },
  VolumeKeyWrong: { status: 403, remedy: "Give the passphrase of the encrypted volume." },
});
