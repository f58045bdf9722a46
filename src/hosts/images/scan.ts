// What lies in a folder of images: each sub-folder with images is a machine, and so is each single
// image. A machine is known by the inode of its folder or image, which survives a rename.

import { join } from "node:path";
import { HoldfastError } from "../../lib/errors.ts";
import { disk } from "../../lib/files.ts";
import { mapInParallel } from "../../lib/parallel.ts";
import { hostErrors } from "../errors.ts";
import { readVariables } from "../firmware/read-variables.ts";
import { uefiWith, type MachineFirmware } from "../firmware/variables.ts";
import type { Machine, MachineDisk } from "../host.ts";
import { imagesAtOnce, readImageFacts } from "./bitmaps.ts";
import { checkImage, formatOfName, type ImageFormat } from "./formats.ts";

export interface FoundImage {
  /** The file's name: unique in its machine. */
  readonly id: string;
  readonly path: string;
  readonly format: ImageFormat;
}

export interface FoundMachine {
  readonly id: string;
  readonly name: string;
  readonly images: readonly FoundImage[];
  readFirmware(signal?: AbortSignal): Promise<MachineFirmware>;
}

const mostDisks = 64;

export async function scanImages(folder: string): Promise<FoundMachine[]> {
  const machines: FoundMachine[] = [];
  for (const name of (await disk.list(folder)).sort()) {
    if (name.startsWith(".")) continue;
    const path = join(folder, name);
    const status = await disk.linkStatus(path);
    if (status === undefined) continue;
    const id = `inode:${status.inode}`;
    if (status.isDirectory) {
      const images = await findImages(path);
      if (images.length > 0) machines.push({ id, name, images, readFirmware: (signal) => readFirmware(path, signal) });
    } else if (status.isFile) {
      const format = formatOfName(name);
      if (format !== undefined) {
        const images = [{ id: name, path, format }];
        machines.push({ id, name: name.slice(0, name.lastIndexOf(".")), images, readFirmware: async () => bios });
      }
    }
  }
  return machines;
}

/** Files only: a symbolic link could lead anywhere. The system disk is the first by name. */
async function findImages(folder: string): Promise<FoundImage[]> {
  const images: FoundImage[] = [];
  for (const name of (await disk.list(folder)).sort()) {
    const path = join(folder, name);
    const format = formatOfName(name);
    if (
      format === undefined ||
      variablesName.test(name) ||
      name.startsWith(".") ||
      (await disk.linkStatus(path))?.isFile !== true
    )
      continue;
    images.push({ id: name, path, format });
  }
  return images;
}

const bios: MachineFirmware = { hasEmulatedTpm: false };

/** As virt-manager (NAME_VARS.fd) and others (NAME.nvram) call the files of UEFI variables. */
const variablesName = /(?:_VARS\.(?:fd|qcow2)|\.nvram)$/;

/** UEFI where the folder has the variables of exactly one. */
async function readFirmware(folder: string, signal?: AbortSignal): Promise<MachineFirmware> {
  const [name, ...others] = (await disk.list(folder)).filter((one) => variablesName.test(one));
  if (name === undefined || others.length > 0) return bios;
  const file = { path: join(folder, name), format: name.endsWith(".qcow2") ? ("qcow2" as const) : ("raw" as const) };
  return { ...bios, uefi: await uefiWith(false, () => readVariables(file, signal), file.path) };
}

/** A machine that holds a refused image is listed with the reason, and without that disk. */
export async function describeImages(found: FoundMachine, signal?: AbortSignal): Promise<Machine> {
  const problems: string[] = [];
  if (found.images.length > mostDisks) {
    problems.push(
      hostErrors.ImageRefused(
        `${found.name} holds ${found.images.length} images; a machine has at most ${mostDisks} disks.`,
      ).message,
    );
  }
  const images = found.images.slice(0, mostDisks);
  const disks = await mapInParallel(images, imagesAtOnce, async (image, index): Promise<MachineDisk[]> => {
    try {
      await checkImage(image.path, image.format);
      const { sizeBytes } = await readImageFacts(image.path, image.format, false, signal);
      return [{ ...image, name: image.id, sizeBytes, isReadOnly: false, lun: index - 1 }];
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof HoldfastError)) throw error;
      problems.push(error.sentence);
      return [];
    }
  });
  return {
    id: found.id,
    name: found.name,
    powerState: "stopped",
    hasAgent: false,
    disks: disks.flat(),
    memoryBytes: undefined,
    processors: undefined,
    problem: problems.at(-1),
  };
}
