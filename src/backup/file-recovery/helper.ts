// The helper guest, ready to be started: its image and how it runs on this machine. A device /dev/kvm
// that is there and does not work would make every start hang, so it is tried out once.

import { dirname, join } from "node:path";
import { disk } from "../../lib/files.ts";
import { ensureHelperImage, type HelperImage } from "./helper-image.ts";
import { startHelper } from "./helper-session.ts";

export interface Helper {
  readonly image: HelperImage;
  readonly accelerator: "kvm" | "tcg";
}

const trialMilliseconds = 10_000;

/** `folder` keeps the image. */
export async function prepareHelper(folder: string, signal?: AbortSignal): Promise<Helper> {
  await disk.makeDirectory(folder);
  const image = await ensureHelperImage(folder, signal);
  const note = join(dirname(image.initrd), "accelerator");
  if ((await disk.status(note)) !== undefined) {
    const said = (await disk.read(note)).toString("utf8").trim();
    return { image, accelerator: said === "kvm" ? "kvm" : "tcg" };
  }
  const accelerator = (await runsUnderKvm(image, folder, signal)) ? "kvm" : "tcg";
  await disk.writeDurably(note, `${accelerator}\n`);
  return { image, accelerator };
}

async function runsUnderKvm(image: HelperImage, folder: string, signal: AbortSignal | undefined): Promise<boolean> {
  if ((await disk.status("/dev/kvm")) === undefined) return false;
  const late = AbortSignal.timeout(trialMilliseconds);
  try {
    const settings = { helper: { image, accelerator: "kvm" as const }, scratchFolder: folder };
    await using _trial = await startHelper([], settings, signal === undefined ? late : AbortSignal.any([signal, late]));
    return true;
  } catch {
    signal?.throwIfAborted();
    return false;
  }
}
