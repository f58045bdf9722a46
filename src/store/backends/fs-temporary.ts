// Temporary files of the fs backend. The name says whose it is (`<pid namespace>-<pid>-<guid>`), so
// what a killed process left is removed at the next open, and a living writer's file never is.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { disk, type FileSystem } from "../../lib/files.ts";
import { isAlive } from "../../lib/processes.ts";
import { newGuid } from "../../lib/random.ts";

/** A writer that we cannot ask (another boot, another container) is given this long. */
const strangerMilliseconds = 24 * 60 * 60 * 1000;

export interface TemporaryFiles {
  readonly folder: string;
  newPath(): string;
}

export async function openTemporaryFiles(files: FileSystem, folder: string): Promise<TemporaryFiles> {
  await files.makeDirectory(folder);
  const home = await ownNamespace();
  const newPath = (): string => join(folder, `${home}-${process.pid}-${newGuid()}`);
  await removeLeftovers(files, folder, home, newPath());
  return { folder, newPath };
}

async function ownNamespace(): Promise<string> {
  const bootId = await disk.read("/proc/sys/kernel/random/boot_id").catch(() => Buffer.from(newGuid()));
  const namespace = (await disk.status("/proc/self/ns/pid"))?.inode ?? 0;
  return createHash("sha256").update(bootId).update(String(namespace)).digest("hex").slice(0, 12);
}

async function removeLeftovers(files: FileSystem, folder: string, home: string, marker: string): Promise<void> {
  const names = await files.list(folder);
  if (names.length === 0) return;
  // Ages are taken by the file system's own clock: ours may be years away from it.
  await (await files.open(marker, "createNew")).close();
  const now = (await files.linkStatus(marker))?.modifiedAt ?? 0;
  for (const name of names) {
    const path = join(folder, name);
    const [namespace, pid] = name.split("-");
    const isDead = namespace === home && !isAlive(Number(pid));
    const modifiedAt = (await files.linkStatus(path))?.modifiedAt ?? now;
    if (isDead || now - modifiedAt > strangerMilliseconds) await files.remove(path);
  }
  await files.remove(marker);
}
