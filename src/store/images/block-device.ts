// A block device's length: its status says 0, the kernel's own tables know.

import { run } from "../../lib/processes.ts";
import { imageErrors } from "./errors.ts";

export async function readBlockDeviceSize(path: string, signal?: AbortSignal): Promise<number> {
  const { exitCode, stdout } = await run("blockdev", ["--getsize64", path], { acceptedExitCodes: [0, 1], signal });
  const size = Number(stdout.trim());
  if (exitCode === 0 && stdout.trim() !== "" && Number.isSafeInteger(size)) return size;
  throw imageErrors.ImageMissing(`${path} is neither a file nor a block device that can be read.`);
}
