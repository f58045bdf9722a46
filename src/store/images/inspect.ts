// Looks at an image before QEMU opens it for us. An image is a hostile thing: a header may name
// another file (a backing file, an external data file, an extent) and whoever follows it reads
// /etc/shadow into the vault. So what refers to another file is refused here by a few fixed fields,
// and once more by what qemu-img says about it; the rest of a header is never parsed by us.

import { z } from "zod";
import type { HoldfastError } from "../../lib/errors.ts";
import { disk } from "../../lib/files.ts";
import { run } from "../../lib/processes.ts";
import { imageErrors } from "./errors.ts";
import { qemuDriver, type ReadableFormat } from "./format.ts";

export interface ImageInspection {
  readonly size: number;
}

const info = z.object({
  "virtual-size": z.number().int().nonnegative(),
  "backing-filename": z.string().optional(),
  "full-backing-filename": z.string().optional(),
  encrypted: z.boolean().optional(),
  "format-specific": z
    .object({
      data: z
        .object({
          "data-file": z.string().optional(),
          extents: z.array(z.object({ filename: z.string() })).optional(),
        })
        .optional(),
    })
    .optional(),
});

export async function inspectImage(
  path: string,
  format: ReadableFormat,
  signal?: AbortSignal,
): Promise<ImageInspection> {
  await checkHeader(path, format);
  const printed = await askQemu(["info", "--output=json", "-f", qemuDriver[format], "--", path], path, format, signal);
  const parsed = info.safeParse(JSON.parse(printed));
  if (!parsed.success) throw imageErrors.ImageUnreadable(`qemu-img says nothing about ${path} that we understand.`);
  const found = parsed.data;
  const other =
    found["backing-filename"] ?? found["full-backing-filename"] ?? found["format-specific"]?.data?.["data-file"];
  if (other !== undefined) refuse(path, `it refers to another file (${other.slice(0, 200)})`);
  if (found["format-specific"]?.data?.extents?.some((extent) => extent.filename !== path) === true) {
    refuse(path, "it is spread over several files");
  }
  if (found.encrypted === true) refuse(path, "it is encrypted");
  return { size: found["virtual-size"] };
}

/** Runs qemu-img on an image and gives its output; its refusals become errors of ours. */
export async function askQemu(
  args: readonly string[],
  path: string,
  format: ReadableFormat,
  signal?: AbortSignal,
): Promise<string> {
  const env = { LC_ALL: "C" };
  try {
    const { exitCode, stdout, stderr } = await run("qemu-img", args, { acceptedExitCodes: [0, 1], env, signal });
    if (exitCode === 0) return stdout;
    throw fromQemu(path, format, stderr);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

export function fromQemu(path: string, format: ReadableFormat, said: string): HoldfastError {
  const line = said.trim().split("\n")[0]?.slice(0, 300) ?? "";
  if (/Failed to get .*lock/.test(said)) return imageErrors.ImageInUse(`${path} is in use: ${line}`);
  if (/No such file/.test(said)) return imageErrors.ImageMissing(`There is no image ${path}.`);
  if (/not in .* format|invalid|Unsupported|signature/i.test(said)) {
    return imageErrors.ImageFormatWrong(`${path} cannot be read as ${format}: ${line}`);
  }
  return imageErrors.ImageUnreadable(`${path} cannot be read as ${format}: ${line}`);
}

const headerBytes = 512;

/** Only what decides whether another file would be opened. */
async function checkHeader(path: string, format: ReadableFormat): Promise<void> {
  if (format === "raw") return;
  if ((await disk.status(path))?.isFile !== true) throw imageErrors.ImageMissing(`There is no image file ${path}.`);
  await using file = await disk.open(path, "read");
  const { size } = await file.status();
  const header = Buffer.alloc(headerBytes);
  await file.read(header, 0);
  const wrong = (): never => {
    throw imageErrors.ImageFormatWrong(`${path} is no ${format} image.`);
  };
  if (format === "qcow2") {
    if (header.toString("latin1", 0, 4) !== "QFI\xfb") wrong();
    if (header.readBigUInt64BE(8) !== 0n) refuse(path, "it has a backing file");
    if (header.readUInt32BE(32) !== 0) refuse(path, "it is encrypted");
    const hasExternalData = header.readUInt32BE(4) >= 3 && (header.readBigUInt64BE(72) & 4n) !== 0n;
    if (hasExternalData) refuse(path, "its data is in another file");
  } else if (format === "vmdk") {
    // A text descriptor names its extents, which can be any file; only the one-file form is read.
    if (header.toString("latin1", 0, 21) === "# Disk DescriptorFile") refuse(path, "it only describes other files");
    if (header.toString("latin1", 0, 4) !== "KDMV") wrong();
  } else if (format === "vhdx") {
    if (header.toString("latin1", 0, 8) !== "vhdxfile") wrong();
  } else if (format === "vhd") {
    const footer = Buffer.alloc(headerBytes);
    if (size >= headerBytes) await file.read(footer, size - headerBytes);
    if (footer.toString("latin1", 0, 8) !== "conectix") wrong();
    const [fixed, dynamic] = [2, 3];
    const type = footer.readUInt32BE(60);
    if (type !== fixed && type !== dynamic) refuse(path, "it only holds differences to another file");
  }
}

function refuse(path: string, why: string): never {
  throw imageErrors.ImageRefused(`${path} is refused: ${why}.`);
}
