// Machines of disk images for tests: made, changed and read with QEMU's own tools.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openImagesHost } from "../../../hosts/images/host.ts";
import type { Host } from "../../../hosts/host.ts";
import { newTestVault, restore } from "../../../store/testing/vaults.ts";
import { memoryStore } from "../../../store/backends/memory.ts";
import type { Point, Vault } from "../../../store/index.ts";

export interface ImagesRig extends AsyncDisposable {
  readonly folder: string;
  readonly host: Host;
  readonly machineId: string;
  readonly vault: Vault;
  imagePath(disk: string): string;
  create(disk: string, mebibytes: number, ...options: string[]): void;
  /** `write -P 7 1M 64k` and the like, in qemu-io's words. */
  write(disk: string, ...commands: string[]): void;
  content(disk: string): Buffer;
  bitmaps(disk: string): string[];
}

/** A machine with a system disk `a-os` and a data disk `b-data`. */
export async function imagesRig(): Promise<ImagesRig> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-capture-"));
  mkdirSync(join(folder, "machines", "web"), { recursive: true });
  const imagePath = (disk: string): string => join(folder, "machines", "web", `${disk}.qcow2`);
  const create = (disk: string, mebibytes: number, ...options: string[]): void => {
    execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", ...options, imagePath(disk), `${mebibytes}M`]);
  };
  const write = (disk: string, ...commands: string[]): void => {
    const args = commands.flatMap((command) => ["-c", command]);
    execFileSync("qemu-io", ["-f", "qcow2", ...args, imagePath(disk)]);
  };
  create("a-os", 12);
  create("b-data", 9);
  write("a-os", "write -P 1 0 3M", "write -P 2 9M 1M");
  write("b-data", "write -P 3 5M 100k");
  const host = openImagesHost({ folder: join(folder, "machines"), scratchFolder: join(folder, "scratch") });
  const machineId = (await host.listMachines())[0]?.id ?? "";
  const vault = await newTestVault(memoryStore());
  return {
    folder,
    host,
    machineId,
    vault,
    imagePath,
    create,
    write,
    content: (disk) => {
      const raw = join(folder, `${disk}.compare.raw`);
      execFileSync("qemu-img", ["convert", "-U", "-f", "qcow2", "-O", "raw", imagePath(disk), raw]);
      const content = readFileSync(raw);
      rmSync(raw);
      return content;
    },
    bitmaps: (disk) => {
      const text = execFileSync("qemu-img", ["info", "-U", "--output=json", imagePath(disk)], { encoding: "utf8" });
      const info = JSON.parse(text) as { "format-specific": { data: { bitmaps?: { name: string }[] } } };
      return (info["format-specific"].data.bitmaps ?? []).map(({ name }) => name);
    },
    [Symbol.asyncDispose]: async () => {
      await vault[Symbol.asyncDispose]();
      await host.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function contentOf(vault: Vault, point: Point, disk: string): Promise<Buffer> {
  return restore(vault, point, `${disk}.qcow2`);
}
