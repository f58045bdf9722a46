// Compare-and-replace on a file system. The new content itself is the lock: it is linked to a lock
// name (one winner), the version is compared, and one rename turns the lock into the object, so that
// commit and unlock are the same step. A lock whose owner died is broken after a while.

import { monotonicMilliseconds } from "../../lib/clock.ts";
import { systemCode } from "../../lib/errors.ts";
import type { FileStatus, FileSystem } from "../../lib/files.ts";
import { sleep } from "../../lib/time.ts";
import { objectErrors } from "./errors.ts";

/** Between taking the lock and the rename stand two system calls; nobody needs this long for them. */
const abandonedMilliseconds = 5000;

export interface Replacement {
  readonly name: string;
  /** The new content, synced. */
  readonly temporary: string;
  readonly path: string;
  readonly lock: string;
}

export async function replaceIfVersion(
  files: FileSystem,
  { name, temporary, path, lock }: Replacement,
  version: string,
  versionOf: (status: FileStatus) => string,
  signal?: AbortSignal,
): Promise<void> {
  const isUnchanged = async (): Promise<boolean> => {
    const status = await files.linkStatus(path);
    return status !== undefined && versionOf(status) === version;
  };
  const changed = (): Error => objectErrors.ObjectChanged(`${name} is no longer version ${version}.`);

  if (!(await isUnchanged())) throw changed();
  await takeLock(files, temporary, lock, signal);
  if (!(await isUnchanged())) {
    await files.remove(lock);
    throw changed();
  }
  try {
    await files.rename(lock, path);
  } catch (error) {
    throw systemCode(error) === "ENOENT" ? changed() : error;
  }
}

async function takeLock(files: FileSystem, temporary: string, lock: string, signal?: AbortSignal): Promise<void> {
  let holder: number | undefined;
  let since = monotonicMilliseconds();
  for (;;) {
    try {
      await files.link(temporary, lock);
      return;
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
    }
    const inode = (await files.linkStatus(lock))?.inode;
    if (inode !== holder) {
      holder = inode;
      since = monotonicMilliseconds();
    } else if (monotonicMilliseconds() - since > abandonedMilliseconds) {
      await files.remove(lock);
    }
    await sleep(10, signal);
  }
}
