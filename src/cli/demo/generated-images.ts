// Without QEMU: a machine that is switched off, of two generated disk images.

import { join } from "node:path";
import { disk } from "../../lib/files.ts";
import { demoContent, sha256, type DemoMachine } from "./machine.ts";

const diskBytes = 256 * 1024 * 1024;
const name = "demo-vm";

export async function generatedMachine(folder: string): Promise<DemoMachine> {
  const images = join(folder, "images");
  const paths = ["disk0.raw", "disk1.raw"].map((file) => join(images, name, file));
  await disk.makeDirectory(join(images, name));
  for (const [index, path] of paths.entries()) {
    if ((await disk.status(path)) !== undefined) continue;
    await using file = await disk.open(path, "create");
    await file.truncate(diskBytes);
    for (let piece = 0; piece < 8; piece += 1)
      await file.write(demoContent(100 * index + piece), piece * 16 * 1024 * 1024);
    await file.sync();
  }
  const last = paths[1] ?? "";
  return {
    name,
    description: "two generated disk images of 256 MiB (without QEMU no machine can run here)",
    host: { kind: "images", path: images },
    change: async (round) => {
      const content = demoContent(round);
      await using file = await disk.open(last, "readWrite");
      await file.write(content, 64 * 1024 * 1024);
      await file.sync();
      return { sha256: sha256(content), bytes: content.length, file: undefined };
    },
    comparedDisk: { path: last, format: "raw", lun: 0 },
    stop: async () => {},
  };
}
