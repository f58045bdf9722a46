// A kernel that the host gives its machine does not lie on the machine's disks: a point without it could
// not be booted once the host is lost. So it is kept as attachments, named by what they hold.
//
// What the host says of paths is not believed: whoever writes a machine's definition, or has taken over
// its QEMU, must not have us read other files. Only what begins as kernels and their initial disks do
// is kept.

import { createHash } from "node:crypto";
import * as z from "zod";
import type { DirectBoot } from "../../hosts/host.ts";
import { systemCode } from "../../lib/errors.ts";
import { disk } from "../../lib/files.ts";
import { maxAttachmentSize } from "../../store/format/layout.ts";
import type { BackupSession } from "../../store/index.ts";
import type { Remark } from "./remarks.ts";

/** Names of attachments, and what the kernel is told. */
export const capturedBoot = z.object({
  kernel: z.string(),
  initrd: z.string().optional(),
  commandLine: z.string(),
});
export type CapturedBoot = z.output<typeof capturedBoot>;

export interface KeptBoot {
  readonly boot?: CapturedBoot;
  readonly remarks: readonly Remark[];
}

export async function keepBoot(
  { path, initrdPath, commandLine }: DirectBoot,
  writing: Pick<BackupSession, "addAttachment">,
): Promise<KeptBoot> {
  const keep = async (file: string, shapes: readonly Shape[]): Promise<string> => {
    const content = await readBootFile(file, shapes);
    const name = `boot-${createHash("sha256").update(content).digest("hex")}`;
    await writing.addAttachment(name, content);
    return name;
  };
  try {
    const kernel = await keep(path, kernels);
    if (initrdPath === undefined) return { boot: { kernel, commandLine }, remarks: [] };
    return { boot: { kernel, initrd: await keep(initrdPath, initialDisks), commandLine }, remarks: [] };
  } catch (error) {
    if (!(error instanceof NotKept)) throw error;
    const message = `The machine boots a kernel of its host, and ${error.message}: it is not in the point. A machine that is made of the point's disks needs a kernel from elsewhere.`;
    return { remarks: [{ code: "BootFilesNotKept", severity: "warning", message }] };
  }
}

class NotKept extends Error {}

interface Shape {
  readonly at: number;
  readonly bytes: Buffer;
}
const shape = (at: number, hex: string): Shape => ({ at, bytes: Buffer.from(hex, "hex") });
/** Linux for x86 (HdrS), what has an EFI stub (MZ), ELF, Linux for arm64. */
const kernels = [shape(0x202, "48647253"), shape(0, "4d5a"), shape(0, "7f454c46"), shape(56, "41524d64")];
/** cpio as it is, or behind gzip, xz, zstd, lz4 (old and new), bzip2, lzma, lzo. */
const initialDisks = [
  shape(0, "3037303730"),
  ...["1f8b", "fd377a585a00", "28b52ffd", "02214c18", "04224d18", "425a68", "5d0000", "894c5a4f"].map((hex) =>
    shape(0, hex),
  ),
];

async function readBootFile(path: string, shapes: readonly Shape[]): Promise<Buffer> {
  if (!path.startsWith("/")) throw new NotKept(`the path ${path} does not say where it is`);
  try {
    // Never waits for the other end of a pipe; links are followed before.
    await using file = await disk.open(await disk.realPath(path), "readNoFollow");
    const { isFile, size } = await file.status();
    if (!isFile) throw new NotKept(`${path} is no file`);
    if (size > maxAttachmentSize) throw new NotKept(`${path} has ${size} bytes, more than ${maxAttachmentSize}`);
    const content = Buffer.alloc(size);
    const length = await file.read(content, 0);
    const isOne = shapes.some(({ at, bytes }) => content.subarray(at, at + bytes.length).equals(bytes));
    if (length < size || !isOne) throw new NotKept(`${path} does not look like what Linux is booted from`);
    return content;
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    throw new NotKept(`${path} cannot be read (${code})`);
  }
}
