// The kernel that a machine was given by its host, out of a point and into files of a host again.

import type { DirectBoot } from "../../hosts/host.ts";
import { disk } from "../../lib/files.ts";
import { readAttachment, type Point, type Vault } from "../../store/index.ts";
import { mustBeCaptured } from "../capture/index.ts";

export interface BootPaths {
  readonly kernel: string;
  readonly initrd: string;
}

/** Undefined when the machine booted from its own system disk. */
export async function writeBoot(
  vault: Vault,
  point: Point,
  paths: BootPaths,
  signal?: AbortSignal,
): Promise<DirectBoot | undefined> {
  const { boot } = mustBeCaptured(point);
  if (boot === undefined) return undefined;
  const write = async (path: string, attachment: string): Promise<void> =>
    disk.writeDurably(path, await readAttachment(vault, point, attachment, signal));
  await write(paths.kernel, boot.kernel);
  if (boot.initrd !== undefined) await write(paths.initrd, boot.initrd);
  return {
    path: paths.kernel,
    ...(boot.initrd === undefined ? {} : { initrdPath: paths.initrd }),
    commandLine: boot.commandLine,
  };
}
