// Debian with systemd, the agent and PostgreSQL on two disks, built by the test and kept
// in .cache/ of the checkout. It boots the tiny guest's kernel, which spares it an initial RAM disk.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fetchPackages, newestKernelPackage, unpackPackages } from "../../src/tiny-guest/debian-packages.ts";
import { readKernelModules } from "../../src/tiny-guest/kernel-modules.ts";
import { guestImage } from "./guest-image.ts";
import type { BootImage } from "./running-guest.ts";

export interface DebianImage {
  readonly boot: BootImage;
  /** Templates to copy: `system` with the write-ahead log, `data` with the database. */
  readonly disks: { readonly system: string; readonly data: string };
}

const cache = join(import.meta.dirname, "..", "..", ".cache", "guests");
const hook = join(import.meta.dirname, "files/debian/customize");
const suite = "bookworm";
const include = ["systemd-sysv", "udev", "kmod", "qemu-guest-agent", "postgresql"];
/** Never read in the guest: just-in-time compilation is off. */
const without = ["doc/*", "man/*", "locale/*", "info/*"].map((path) => `/usr/share/${path}`);
const unneeded = [...without, "/usr/lib/x86_64-linux-gnu/libLLVM*"];

export async function debianImage(): Promise<DebianImage> {
  const { kernelPath, initrdPath, commandLine } = await guestImage();
  const kernel = await newestKernelPackage();
  const hash = createHash("sha256").update(kernel);
  for (const path of [hook, import.meta.filename]) hash.update(readFileSync(path));
  const folder = join(cache, `debian-${hash.digest("hex").slice(0, 16)}`);
  if (!existsSync(folder)) await build(folder, kernel);
  const image = (name: string): string => join(folder, `${name}.qcow2`);
  return {
    boot: { kernelPath, initrdPath, commandLine: `${commandLine} systemd.show_status=0` },
    disks: { system: image("system"), data: image("data") },
  };
}

/** Built beside its place and moved there when whole. */
async function build(folder: string, kernelPackage: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "holdfast-debian-"));
  try {
    const modules = await modulesOf(kernelPackage, work);
    execFileSync(
      "mmdebstrap",
      [
        ["--quiet", "--variant=minbase", "--mode=auto", "--format=null", `--include=${include.join(",")}`],
        ['--aptopt=Apt::Install-Recommends "false"', ...unneeded.map((path) => `--dpkgopt=path-exclude=${path}`)],
        [`--customize-hook=${hook}`, suite, "/dev/null"],
      ].flat(),
      { env: { ...process.env, MODULES: modules, OUT: work }, stdio: ["ignore", "ignore", "inherit"] },
    );
    const out = `${folder}.new`;
    rmSync(out, { recursive: true, force: true });
    mkdirSync(out, { recursive: true });
    for (const name of ["system", "data"]) {
      execFileSync("qemu-img", ["convert", "-O", "qcow2", join(work, `${name}.raw`), join(out, `${name}.qcow2`)]);
    }
    renameSync(out, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A tree with those modules that the guest loads after its root disk is there. */
async function modulesOf(kernelPackage: string, work: string): Promise<string> {
  const packages = await fetchPackages(join(cache, "debs"), [kernelPackage, "busybox-static"]);
  await unpackPackages(packages, join(work, "kernel"));
  const busybox = join(work, "kernel/bin/busybox");
  const modules = await readKernelModules(busybox, join(work, "kernel"));
  const tree = join(work, "modules");
  for (const path of modules.withDependencies(["virtio_console"])) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    cpSync(join(modules.tree, path), join(tree, path));
  }
  return tree;
}
