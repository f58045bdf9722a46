// Which file systems may hold a vault. What `put` returns from has to survive a power cut, and a
// conditional create has to have one winner; file systems that promise this and do not keep it are
// named here, and the rest is tried out when a store is opened.

import { join } from "node:path";
import { systemCode } from "../../lib/errors.ts";
import type { FileSystem } from "../../lib/files.ts";
import { objectErrors } from "./errors.ts";

interface Doubt {
  readonly name: string;
  readonly why: string;
}

const network = "a lost server or a cache in between can drop what fsync has confirmed";

/** By the magic number of statfs(2). */
const doubtful: ReadonlyMap<number, Doubt> = new Map([
  [0x65735546, { name: "FUSE", why: "its program may answer fsync without writing anything" }],
  [0x01021997, { name: "9p", why: "the host behind it decides what fsync means" }],
  [0x6969, { name: "NFS", why: network }],
  [0xff534d42, { name: "CIFS", why: network }],
  [0xfe534d42, { name: "SMB2", why: network }],
  [0x517b, { name: "SMB", why: network }],
  [0x01021994, { name: "tmpfs", why: "it is memory: a power cut empties it" }],
  [0x858458f6, { name: "ramfs", why: "it is memory: a power cut empties it" }],
  [0x786f4256, { name: "VirtualBox shared folder", why: "the host behind it decides what fsync means" }],
]);

/** Throws StoreUntrustworthy when `folder`'s file system is known not to keep its promises. */
export async function checkVolumeType(files: FileSystem, folder: string): Promise<void> {
  const doubt = doubtful.get(await files.volumeType(folder));
  if (doubt === undefined) return;
  throw objectErrors.StoreUntrustworthy(
    `${folder} is on ${doubt.name}, which cannot hold a vault safely: ${doubt.why}.`,
  );
}

/**
 * Tries exclusive links, atomic replacement and directory fsync in `scratch`; leaves nothing there. Whether
 * fsync keeps its promise cannot be tried, so the files themselves are not synced: each costs milliseconds.
 */
export async function probeFileSystem(files: FileSystem, scratch: string, unique: string): Promise<void> {
  const [first, second, replacement] = ["a", "b", "c"].map((end) => join(scratch, `${unique}-probe-${end}`)) as [
    string,
    string,
    string,
  ];
  try {
    await write(files, first, "first");
    await files.link(first, second);
    if ((await files.status(first))?.inode !== (await files.status(second))?.inode) fail("a hard link is a copy");
    if (!(await refusesToLink(files, first, second))) fail("a hard link replaces a file that is there");
    await write(files, replacement, "replaced");
    await files.rename(replacement, second);
    if ((await files.read(second)).toString() !== "replaced") fail("a rename does not replace its target");
    if ((await files.read(first)).toString() !== "first") fail("a rename changes the file that it replaces");
    await files.syncDirectory(scratch);
  } catch (error) {
    const code = systemCode(error);
    if (code === "EPERM" || code === "ENOTSUP" || code === "EOPNOTSUPP" || code === "EINVAL" || code === "ENOSYS") {
      fail(`hard links or directory fsync end in ${code}`, error);
    }
    throw error;
  } finally {
    for (const path of [first, second, replacement]) await files.remove(path);
  }

  function fail(what: string, cause?: unknown): never {
    throw objectErrors.StoreUntrustworthy(`The file system of ${scratch} cannot hold a vault: ${what}.`, {
      cause,
      remedy: "Put the store on a local Linux file system (ext4, xfs, btrfs, zfs).",
    });
  }
}

async function write(files: FileSystem, path: string, text: string): Promise<void> {
  await using file = await files.open(path, "createNew", 0o600);
  await file.write(Buffer.from(text), 0);
}

async function refusesToLink(files: FileSystem, from: string, to: string): Promise<boolean> {
  try {
    await files.link(from, to);
    return false;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return true;
    throw error;
  }
}
