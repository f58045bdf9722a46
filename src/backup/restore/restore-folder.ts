// Restores into a folder of this machine go only below folders that the administrator has named: whoever
// may restore is not thereby allowed to write anywhere.

import { isAbsolute, resolve, sep } from "node:path";
import { disk } from "../../lib/files.ts";
import { restoreErrors } from "./errors.ts";

/** The real path, links followed. */
export async function checkRestoreFolder(folder: string, allowed: readonly string[]): Promise<string> {
  if (!isAbsolute(folder) || folder.includes("\0")) throw refused(`'${folder.slice(0, 200)}' is no absolute path.`);
  const path = resolve(folder);
  if ((await disk.status(path))?.isDirectory !== true) throw refused(`${path} is no folder.`);
  const real = await disk.realPath(path);
  for (const each of allowed) {
    if ((await disk.status(each))?.isDirectory !== true) continue;
    const root = await disk.realPath(each);
    if (real === root || real.startsWith(root.endsWith(sep) ? root : root + sep)) return real;
  }
  throw refused(
    allowed.length === 0
      ? "This service allows no folders for restores."
      : `${path} is below none of the folders that are allowed: ${allowed.join(", ")}.`,
  );
}

function refused(message: string): Error {
  return restoreErrors.UserErrorRestoreTargetInvalid(message, {
    target: "holdfast.folder",
    remedy:
      "The administrator allows folders with HOLDFAST_RESTORE_FOLDERS (separated by commas) or restoreFolders in the settings.",
  });
}
