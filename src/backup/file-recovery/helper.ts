// The helper guest, ready to be started: its image, how it runs on this machine, and its state after the
// start. A device /dev/kvm that is there and does not work would make every start hang, so it is tried out
// once.

import { dirname, join } from "node:path";
import { workingAccelerator } from "../../hosts/qemu/accelerator.ts";
import { disk } from "../../lib/files.ts";
import { ensureHelperImage, type HelperImage } from "./helper-image.ts";
import { ensureSavedState } from "./saved-state.ts";

export interface Helper {
  readonly image: HelperImage;
  readonly accelerator: "kvm" | "tcg";
  /** From which sessions go on; without it they boot. */
  readonly statePath: string | undefined;
}

/** `folder` keeps the image and the state. */
export async function prepareHelper(folder: string, signal?: AbortSignal): Promise<Helper> {
  await disk.makeDirectory(folder);
  const image = await ensureHelperImage(folder, signal);
  const accelerator = await acceleratorFor(image);
  return { image, accelerator, statePath: await ensureSavedState({ image, accelerator }, signal) };
}

async function acceleratorFor(image: HelperImage): Promise<"kvm" | "tcg"> {
  const note = join(dirname(image.initrd), "accelerator");
  if ((await disk.status(note)) !== undefined) {
    const said = (await disk.read(note)).toString("utf8").trim();
    return said === "kvm" ? "kvm" : "tcg";
  }
  const accelerator = await workingAccelerator();
  await disk.writeDurably(note, `${accelerator}\n`);
  return accelerator;
}
