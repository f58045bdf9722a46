// Object lock for folders: the kernel's immutable flag, which only root can set and take away, and a
// note of the time until which it stays. The note is durable before the flag is set, so a flag without
// a note does not occur; a note without a flag only means that the object is kept a little longer.

import { basename, join } from "node:path";
import { isoTime, type Clock } from "../../lib/clock.ts";
import type { FileSystem } from "../../lib/files.ts";
import { run } from "../../lib/processes.ts";
import { objectErrors } from "./errors.ts";

export interface FileLocks {
  /** Called before the object has its name. */
  note(name: string, until: number): Promise<void>;
  /** Called when the object has its name. */
  set(path: string): Promise<void>;
  /** Fails with ObjectLocked while the lock lasts; else takes it away, so that the file can be deleted. */
  release(name: string, path: string): Promise<void>;
}

/** Fails with StoreUntrustworthy where the flag cannot be set: not root, or a file system without it. */
export async function openFileLocks(
  files: FileSystem,
  own: string,
  clock: Clock,
  newTemporaryPath: () => string,
): Promise<FileLocks> {
  const folder = join(own, "locks");
  await files.makeDirectory(folder);
  await files.syncDirectory(own);
  await tryFlag(files, newTemporaryPath());
  const noteOf = (name: string): string => join(folder, name.replaceAll("/", "~"));
  return {
    note: async (name, until) => {
      // An object may be put again, for a shorter time, by somebody who does not know that it is there.
      if (until > (await notedTime(files, noteOf(name)))) await files.writeDurably(noteOf(name), String(until));
    },
    set: async (path) => {
      await run("chattr", ["+i", "--", path]);
    },
    release: async (name, path) => {
      const note = noteOf(name);
      if ((await files.linkStatus(note)) === undefined) return;
      const until = await notedTime(files, note);
      if (clock.now() < until) {
        throw objectErrors.ObjectLocked(
          `${name} is locked until ${Number.isFinite(until) ? isoTime(until) : "an unknown time"}.`,
        );
      }
      if ((await files.linkStatus(path)) !== undefined) await run("chattr", ["-i", "--", path]);
      await files.remove(note);
    },
  };
}

/** For ever where the note cannot be understood, never where there is none. */
async function notedTime(files: FileSystem, note: string): Promise<number> {
  if ((await files.linkStatus(note)) === undefined) return -Infinity;
  const text = (await files.read(note)).toString("utf8");
  return /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Infinity;
}

async function tryFlag(files: FileSystem, path: string): Promise<void> {
  await (await files.open(path, "createNew")).close();
  try {
    await run("chattr", ["+i", "--", path]);
    const isKept = await files.rename(path, `${path}-moved`).then(
      () => false,
      () => true,
    );
    if (!isKept) throw new Error(`${basename(path)} could be renamed in spite of its flag`);
  } catch (cause) {
    throw objectErrors.StoreUntrustworthy("Objects cannot be locked here: the immutable flag has no effect.", {
      cause,
      remedy: "Run as root on ext4, xfs or btrfs, or open the store without immutable=true.",
    });
  } finally {
    await run("chattr", ["-i", "--", path], { acceptedExitCodes: [0, 1] }).catch(() => {});
    await files.remove(path);
    await files.remove(`${path}-moved`);
  }
}
