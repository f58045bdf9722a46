// `/api/filerecovery/TOKEN`: files of a recovery point, sent as they are read.

import { renderError } from "../arm/error-body.ts";
import { download, type Download } from "../backup/file-recovery/download.ts";
import type { Downloads } from "../backup/file-recovery/downloads.ts";
import type { BorrowedSession, FileSessions } from "../backup/file-recovery/file-sessions.ts";
import { fileRecoveryErrors } from "../backup/file-recovery/errors.ts";
import { HoldfastError } from "../lib/errors.ts";
import type { DataPlane, DataPlaneReply } from "./data-plane.ts";
import type { Log } from "./log.ts";

const prefix = "/api/filerecovery/";

export function mountDownloads(downloads: Downloads, sessions: FileSessions, log: Log): DataPlane {
  return {
    handle: async ({ method, target, signal }) => {
      const { pathname } = new URL(`https://localhost/${target.slice(1)}`);
      if (!pathname.startsWith(prefix)) return undefined;
      if (method !== "GET") return refusal(405, fileRecoveryErrors.FileRecoveryPathInvalid("Only GET is served here."));
      const offered = downloads.find(pathname.slice(prefix.length));
      if (offered === undefined)
        return refusal(404, fileRecoveryErrors.FileNotFound("This download is not offered, or not any more."));
      let borrowed: BorrowedSession | undefined;
      try {
        borrowed = await sessions.borrow(offered.of, signal);
        const found = await download(borrowed.session, offered.path, offered.format, signal);
        return reply(found, borrowed);
      } catch (error) {
        borrowed?.[Symbol.dispose]();
        if (error instanceof HoldfastError) return refusal(error.status, error);
        log.error({ err: error }, "a download failed inside the service");
        return refusal(500, fileRecoveryErrors.FileRecoverySessionFailed("The download failed inside the service."));
      }
    },
  };
}

function reply({ fileName, contentType, sizeBytes, body }: Download, borrowed: BorrowedSession): DataPlaneReply {
  const headers: Record<string, string> = {
    "content-type": contentType,
    // The content is somebody's file: no browser shows it here.
    "content-disposition": `attachment; filename*=UTF-8''${encodeURIComponent(fileName).replaceAll("'", "%27")}`,
    "cache-control": "no-store",
  };
  if (sizeBytes !== undefined) headers["content-length"] = String(sizeBytes);
  return { status: 200, headers, body: released(body, borrowed) };
}

async function* released(body: AsyncIterable<Uint8Array>, borrowed: BorrowedSession): AsyncGenerator<Uint8Array> {
  using _session = borrowed;
  yield* body;
}

function refusal(status: number, error: HoldfastError): DataPlaneReply {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(renderError(error)) };
}
