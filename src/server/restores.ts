// What restores and file recovery hold open while the service runs.

import { join } from "node:path";
import { openDownloads, type Downloads } from "../backup/file-recovery/downloads.ts";
import { helperScratch, openFileSessions, type FileSessions } from "../backup/file-recovery/file-sessions.ts";
import { openRecoveryExports, type RecoveryExports } from "../backup/file-recovery/recovery-exports.ts";
import type { Stores } from "../backup/stores/stores.ts";
import type { Database } from "../db/database.ts";
import { disk } from "../lib/files.ts";
import type { ServerCertificate } from "./certificates.ts";
import { listenAddress, type Settings } from "./settings.ts";

export interface Restores extends AsyncDisposable {
  readonly fileSessions: FileSessions;
  readonly recoveryExports: RecoveryExports;
  readonly downloads: Downloads;
  readonly instantFolder: string;
  readonly restoreFolders: readonly string[];
}

export async function openRestores(parts: {
  readonly settings: Settings;
  readonly database: Database;
  readonly stores: Stores;
  readonly certificate: ServerCertificate;
  readonly report: (error: unknown) => void;
}): Promise<Restores> {
  const { settings, database, stores, certificate, report } = parts;
  const forget = (points?: string): Promise<unknown> => {
    const update = database.kysely.updateTable("recovery_points").set({ recovery_session_until: null });
    return (
      points === undefined ? update.where("recovery_session_until", "is not", null) : update.where("id", "=", points)
    ).execute();
  };
  // With SQLite this is the only process there is: what its predecessor served is served no more.
  if (database.dialect === "sqlite") await forget();
  const authority = (await disk.read(certificate.authorityFile)).toString("utf8");
  await disk.removeTree(helperScratch(settings.data));
  const fileSessions = openFileSessions({ folder: settings.data, stores });
  const recoveryExports = openRecoveryExports({
    clock: database.clock,
    host: listenAddress(settings).host,
    port: settings.fileRecoveryPort,
    tls: { certificate: certificate.certificate, key: certificate.key, authority },
    onEnd: async (point) => void (await forget(point)),
    report,
  });
  return {
    fileSessions,
    recoveryExports,
    downloads: openDownloads(database.clock),
    instantFolder: join(settings.data, "instant"),
    restoreFolders: settings.restoreFolders,
    [Symbol.asyncDispose]: async () => {
      await fileSessions[Symbol.asyncDispose]();
      await recoveryExports[Symbol.asyncDispose]();
    },
  };
}
