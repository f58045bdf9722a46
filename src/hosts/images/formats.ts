// Which format an image has: told by its name, checked by its header, never guessed by QEMU. A guest
// writes what it likes into a raw disk, also a qcow2 header that names /etc/shadow as backing file;
// so a .raw is raw whatever it holds, and an image that refers to another file is refused.

import { disk } from "../../lib/files.ts";
import { hostErrors } from "../errors.ts";

/** As QEMU's block drivers are called. */
export const imageFormats = ["raw", "qcow2", "vpc", "vhdx", "vmdk"] as const;
export type ImageFormat = (typeof imageFormats)[number];

const formatsByExtension: Readonly<Record<string, ImageFormat>> = {
  raw: "raw",
  img: "raw",
  qcow2: "qcow2",
  vhd: "vpc",
  vhdx: "vhdx",
  vmdk: "vmdk",
};

export function formatOfName(name: string): ImageFormat | undefined {
  return formatsByExtension[name.slice(name.lastIndexOf(".") + 1).toLowerCase()];
}

const headerBytes = 64 * 1024;

/** Fails unless the image is of its format and stands by itself. */
export async function checkImage(path: string, format: ImageFormat): Promise<void> {
  const header = Buffer.alloc(headerBytes);
  await using file = await disk.open(path, "read");
  const length = await file.read(header, 0);
  checks[format](path, header.subarray(0, length));
  if (format === "vmdk") await checkVmdkDescriptor(path, file, header);
}

const checks: Readonly<Record<ImageFormat, (path: string, header: Buffer) => void>> = {
  raw: () => {},
  qcow2: (path, header) => {
    if (header.length < 104 || header.readUInt32BE(0) !== 0x514649fb) throw notA(path, "qcow2");
    if (header.readBigUInt64BE(8) !== 0n) throw refersElsewhere(path, "a backing file");
    if (header.readUInt32BE(32) !== 0)
      throw refused(path, "is encrypted by QEMU", "Back it up from the running machine.");
    const usesDataFile = header.readUInt32BE(4) >= 3 && (header.readBigUInt64BE(72) & 4n) !== 0n;
    if (usesDataFile) throw refersElsewhere(path, "an external data file");
  },
  vpc: (path, header) => {
    // A fixed VHD has its only footer at the end; a dynamic one begins with a copy of it.
    if (header.length < 512) throw notA(path, "VHD");
    if (header.toString("latin1", 0, 8) === "conectix" && header.readUInt32BE(60) === 4) {
      throw refersElsewhere(path, "a parent disk");
    }
  },
  vhdx: (path, header) => {
    if (header.toString("latin1", 0, 8) !== "vhdxfile") throw notA(path, "VHDX");
  },
  vmdk: (path, header) => {
    // The other kinds are text that names the files with the data.
    if (header.length < 512 || header.toString("latin1", 0, 4) !== "KDMV") {
      throw refused(path, "is no VMDK of one single file", "Convert it: qemu-img convert -O qcow2.");
    }
    if (header.readBigUInt64LE(12) === 0n) throw refersElsewhere(path, "other extents");
  },
};

async function checkVmdkDescriptor(
  path: string,
  file: { read(target: Uint8Array, position: number): Promise<number> },
  header: Buffer,
): Promise<void> {
  const sector = header.readBigUInt64LE(28);
  if (sector === 0n) return;
  if (sector > 1n << 32n) throw notA(path, "VMDK");
  const descriptor = Buffer.alloc(20 * 512);
  const length = await file.read(descriptor, Number(sector) * 512);
  const text = descriptor.toString("latin1", 0, length);
  if (/parentFileNameHint/i.test(text)) throw refersElsewhere(path, "a parent disk");
  const kind = /createType\s*=\s*"([^"]*)"/i.exec(text)?.[1];
  if (kind !== undefined && !["monolithicSparse", "streamOptimized"].includes(kind))
    throw refersElsewhere(path, `extents of the type ${kind.slice(0, 40)}`);
}

function notA(path: string, format: string): Error {
  return refused(path, `is no ${format} image`, "Give the file the extension of its real format.");
}

function refersElsewhere(path: string, what: string): Error {
  return refused(path, `refers to ${what}`, "Make it stand by itself: qemu-img convert -O qcow2 IMAGE NEW.qcow2.");
}

function refused(path: string, why: string, remedy: string): Error {
  return hostErrors.ImageRefused(`The image ${path} ${why}.`, { remedy });
}
