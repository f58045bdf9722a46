// Whether a restored disk, a fixed VHD, is the machine's disk.

import { disk } from "../../lib/files.ts";
import { run } from "../../lib/processes.ts";
import type { DemoMachine } from "./machine.ts";

const piece = 4 * 1024 * 1024;

/** A fixed VHD is the disk's `size` bytes and a footer. */
export async function compareImages(
  machineDisk: DemoMachine["comparedDisk"],
  restored: { readonly path: string; readonly size: number },
): Promise<void> {
  if (machineDisk.format === "qcow2") {
    {
      await using file = await disk.open(restored.path, "readWrite");
      await file.truncate(restored.size);
    }
    // `-U`: the machine runs; the disk is not mounted in it.
    await run("qemu-img", ["compare", "-U", "-f", "qcow2", "-F", "raw", machineDisk.path, restored.path]);
    return;
  }
  await using one = await disk.open(machineDisk.path, "read");
  await using other = await disk.open(restored.path, "read");
  const [left, right] = [Buffer.alloc(piece), Buffer.alloc(piece)];
  for (let at = 0; at < restored.size; at += piece) {
    const length = Math.min(piece, restored.size - at);
    await one.read(left, at);
    await other.read(right, at);
    if (!left.subarray(0, length).equals(right.subarray(0, length)))
      throw new Error(`the restored disk differs between ${at} and ${at + length}`);
  }
}
