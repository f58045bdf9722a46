import type { FileSessions } from "../../../backup/file-recovery/file-sessions.ts";
import type { Downloads } from "../../../backup/file-recovery/downloads.ts";
import type { RecoveryExports } from "../../../backup/file-recovery/recovery-exports.ts";
import type { Disks } from "../../../disks/disks.ts";
import type { Blobs } from "../../../blobs/blobs.ts";
import type { InProcessClient } from "../../resources/deployments/in-process-client.ts";
import type { RecoveryServices } from "../services.ts";

/** What restores need beyond what every route of a vault has. */
export interface RestoreServices extends RecoveryServices {
  readonly blobs: Blobs;
  readonly disks: Disks;
  readonly inProcess: InProcessClient;
  readonly fileSessions: FileSessions;
  readonly recoveryExports: RecoveryExports;
  readonly downloads: Downloads;
  /** Where machines that run from the vault keep what they write. */
  readonly instantFolder: string;
  /** Folders of this machine below which disks may be restored. */
  readonly restoreFolders: readonly string[];
}
