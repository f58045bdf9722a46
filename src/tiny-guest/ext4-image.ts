// A disk image with an ext4 file system on the whole of it, made without root and without mounting.

import { disk } from "../lib/files.ts";
import { run } from "../lib/processes.ts";

export interface Ext4Image {
  /** The qcow2 file to make. */
  readonly path: string;
  readonly mebibytes: number;
  readonly label: string;
  /** A folder whose content the file system holds. */
  readonly content?: string;
}

export async function makeExt4Image(
  { path, mebibytes, label, content }: Ext4Image,
  signal?: AbortSignal,
): Promise<void> {
  const raw = `${path}.raw`;
  {
    await using file = await disk.open(raw, "create");
    await file.truncate(mebibytes * 1024 * 1024);
  }
  const source = content === undefined ? [] : ["-d", content];
  const args = ["-q", "-F", "-t", "ext4", "-m0", "-L", label, "-E", "root_owner=0:0", ...source, raw];
  await run("mke2fs", args, { signal });
  await run("qemu-img", ["convert", "-O", "qcow2", raw, path], { signal });
  await disk.remove(raw);
}
