// Starts and ends test guests, each in a folder of its own with NAME.qmp and NAME.qga as a host has them.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../../src/lib/time.ts";
import { guestImage } from "./guest-image.ts";

export interface GuestDisk {
  /** The disk's serial; `dev-NAME` is its qdev id. */
  readonly name: string;
  readonly path: string;
  readonly format: "qcow2" | "raw";
}

/** What QEMU boots directly. */
export interface BootImage {
  readonly kernelPath: string;
  readonly initrdPath: string;
  readonly commandLine: string;
}

export interface GuestOptions {
  readonly name?: string;
  /** An existing socket directory; a new one when absent. */
  readonly folder?: string;
  readonly extraDisks?: readonly GuestDisk[];
  /** Copies of the templates to start with; sys, a and b when absent. */
  readonly templates?: readonly ("sys" | "a" | "b")[];
  readonly keepDisks?: boolean;
  readonly memoryMebibytes?: number;
  /** Another system than the tiny guest's; its disks are the extra ones. */
  readonly boot?: BootImage;
  readonly moreArguments?: readonly string[];
}

export interface RunningGuest extends AsyncDisposable {
  readonly name: string;
  readonly folder: string;
  readonly disks: readonly GuestDisk[];
  readonly process: ChildProcess;
  kill(): Promise<void>;
}

export async function startGuest(options: GuestOptions = {}): Promise<RunningGuest> {
  const image = await guestImage();
  const name = options.name ?? "guest";
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "holdfast-guests-"));
  const images = join(folder, `${name}.images`);
  mkdirSync(images, { recursive: true });
  const disks: GuestDisk[] = (options.templates ?? (options.boot === undefined ? ["sys", "a", "b"] : [])).map(
    (template) => {
      const path = join(images, `${template}.qcow2`);
      if (options.keepDisks !== true) copyFileSync(image.disks[template], path);
      return { name: template, path, format: "qcow2" };
    },
  );
  disks.push(...(options.extraDisks ?? []));
  const log = openSync(join(images, "qemu.log"), "w");
  const child = spawn("qemu-system-x86_64", qemuArguments(name, folder, disks, options.boot ?? image, options), {
    stdio: ["ignore", log, log],
  });
  const exited = once(child, "exit");
  const kill = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await exited;
  };
  await waitFor(
    `the monitor of ${name}`,
    () => {
      if (child.exitCode !== null) throw new Error(`QEMU ended: ${readFileSync(join(images, "qemu.log"), "utf8")}`);
      return existsSync(join(folder, `${name}.qmp`)) ? true : undefined;
    },
    120_000,
    10,
  );
  return {
    name,
    folder,
    disks,
    process: child,
    kill,
    [Symbol.asyncDispose]: async () => {
      await kill();
      if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function controlSocket(folder: string, name = "guest"): string {
  return join(folder, `${name}.images`, "control");
}

function qemuArguments(
  name: string,
  folder: string,
  disks: readonly GuestDisk[],
  boot: BootImage,
  options: GuestOptions,
): string[] {
  const socket = (suffix: string): string => join(folder, `${name}.${suffix}`);
  for (const path of [socket("qmp"), socket("qga"), controlSocket(folder, name)]) rmSync(path, { force: true });
  const blockdevs = disks.flatMap((disk) => [
    "-blockdev",
    JSON.stringify({
      driver: disk.format,
      "node-name": disk.name,
      discard: "unmap",
      file: { driver: "file", filename: disk.path, "node-name": `${disk.name}-file` },
    }),
    "-device",
    `virtio-blk-pci,drive=${disk.name},id=dev-${disk.name},serial=${disk.name}`,
  ]);
  return [
    ["-name", name, "-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "1"],
    ["-m", String(options.memoryMebibytes ?? 192), "-nodefaults", "-no-user-config", "-display", "none"],
    ["-serial", `file:${join(folder, `${name}.images`, "console.log")}`],
    ["-qmp", `unix:${socket("qmp")},server=on,wait=off`, "-device", "virtio-serial-pci"],
    // The tests' own: a monitor serves one client at a time, and the other one is Holdfast's.
    ["-qmp", `unix:${controlSocket(folder, name)},server=on,wait=off`],
    ["-chardev", `socket,path=${socket("qga")},server=on,wait=off,id=qga0`],
    ["-device", "virtserialport,chardev=qga0,name=org.qemu.guest_agent.0"],
    ["-kernel", boot.kernelPath, "-initrd", boot.initrdPath],
    ["-append", boot.commandLine],
    blockdevs,
    options.moreArguments ?? [],
  ].flat();
}
