// What a machine booted by and had beside its disks, out of a point and into files of a host again: the
// kernel that its host gave it, the variables of its UEFI.

import type { DefinedFirmware, DirectBoot } from "../../hosts/host.ts";
import { disk } from "../../lib/files.ts";
import { readAttachment, type Point, type Vault } from "../../store/index.ts";
import { mustBeCaptured } from "../capture/index.ts";

export interface BootPaths {
  readonly kernel: string;
  readonly initrd: string;
  readonly variables: string;
}

/** The parts of a machine's definition. */
export interface WrittenBoot {
  /** Absent when the machine booted from its own system disk. */
  readonly kernel?: DirectBoot;
  /** Absent when it had a BIOS. */
  readonly firmware?: DefinedFirmware;
}

export async function writeBoot(
  vault: Vault,
  point: Point,
  paths: BootPaths,
  signal?: AbortSignal,
): Promise<WrittenBoot> {
  const { boot, firmware } = mustBeCaptured(point);
  const write = async (path: string, attachment: string | undefined): Promise<void> => {
    if (attachment !== undefined) await disk.writeDurably(path, await readAttachment(vault, point, attachment, signal));
  };
  await write(paths.kernel, boot?.kernel);
  await write(paths.initrd, boot?.initrd);
  await write(paths.variables, firmware?.variables);
  const { isSecureBoot = false } = firmware ?? {};
  return {
    ...(boot && { kernel: kernelAt(paths, { hasInitrd: boot.initrd !== undefined, commandLine: boot.commandLine }) }),
    ...(firmware && { firmware: { variablesPath: paths.variables, isSecureBoot } }),
  };
}

export function kernelAt(
  paths: BootPaths,
  { hasInitrd, commandLine }: { readonly hasInitrd: boolean; readonly commandLine: string },
): DirectBoot {
  return { path: paths.kernel, ...(hasInitrd ? { initrdPath: paths.initrd } : {}), commandLine };
}
