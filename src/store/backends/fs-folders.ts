// The folders of a store on a file system: real folders below the root, never symbolic links that
// lead out of it, and synced into their parents before anything in them is acknowledged.

import { dirname } from "node:path";
import type { FileSystem } from "../../lib/files.ts";
import { objectErrors } from "./errors.ts";

export interface Folders {
  /** Fails with StoreRefused when a folder on the way is not a real one; absent folders pass. */
  check(folder: string): Promise<void>;
  /** Makes the folder and those above it, durably. */
  make(folder: string): Promise<void>;
}

export function openFolders(files: FileSystem, root: string): Folders {
  const known = new Set<string>([root]);
  const making = new Map<string, Promise<void>>();

  async function check(folder: string): Promise<void> {
    if (known.has(folder)) return;
    await check(dirname(folder));
    const status = await files.linkStatus(folder);
    if (status === undefined) return;
    if (!status.isDirectory) {
      throw objectErrors.StoreRefused(`${folder} is no folder of the store: links and files are not followed there.`, {
        remedy: "Move the real folder to that place.",
      });
    }
    known.add(folder);
  }

  async function make(folder: string): Promise<void> {
    if (folder === root) return;
    const running = making.get(folder);
    if (running !== undefined) return running;
    const attempt = makeOnce(folder);
    making.set(folder, attempt);
    // A failure is not remembered: the next put tries again.
    attempt.catch(() => making.delete(folder));
    return attempt;
  }

  async function makeOnce(folder: string): Promise<void> {
    await make(dirname(folder));
    await check(folder);
    await files.makeDirectory(folder);
    // Even when it was there: whoever made it may not have come to the sync.
    await files.syncDirectory(dirname(folder));
  }

  return { check, make };
}
