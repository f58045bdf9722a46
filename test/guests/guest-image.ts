// The tiny guest of the tests: Debian's kernel, busybox and qemu-ga on 64 MiB of ext4, built without
// root from Debian packages in about two seconds and kept in .cache/ of the checkout. Its name is the
// hash of what it is made from, so a change here makes a new one.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { fetchPackages, newestKernelPackage } from "./debian-packages.ts";

export interface GuestImage {
  readonly kernel: string;
  readonly initrd: string;
  /** Templates to copy: the system disk, and ext4 disks that the guest mounts on /mnt/a and /mnt/b. */
  readonly disks: { readonly sys: string; readonly a: string; readonly b: string };
}

const here = import.meta.dirname;
const cache = join(here, "..", "..", ".cache", "guests");
const files = join(here, "files");

const rootPackages = [
  "busybox-static",
  "qemu-guest-agent",
  "libglib2.0-0",
  "libnuma1",
  "liburing2",
  "libudev1",
  "libpcre2-8-0",
  "libc6",
  "libgcc-s1",
  "libselinux1",
  "libmount1",
  "libblkid1",
  "libuuid1",
];
const initrdModules = ["virtio_pci", "virtio_blk"];
const rootModules = ["virtio_console"];

export function guestImage(): GuestImage {
  const kernelPackage = newestKernelPackage();
  const hash = createHash("sha256").update(kernelPackage);
  for (const name of readdirSync(files).sort()) hash.update(name).update(readFileSync(join(files, name)));
  for (const name of ["guest-image.ts", "debian-packages.ts"]) hash.update(readFileSync(join(here, name)));
  const folder = join(cache, hash.digest("hex").slice(0, 16));
  if (!existsSync(folder)) build(folder, kernelPackage);
  const disk = (name: string): string => join(folder, `${name}.qcow2`);
  return {
    kernel: join(folder, "vmlinuz"),
    initrd: join(folder, "initrd.gz"),
    disks: { sys: disk("sys"), a: disk("a"), b: disk("b") },
  };
}

/** Built beside its place and moved there when whole, so two test runs at once do no harm. */
function build(folder: string, kernelPackage: string): void {
  const work = `${folder}.${process.pid}`;
  mkdirSync(join(work, "out"), { recursive: true });
  try {
    const root = join(work, "root");
    const kernelTree = join(work, "kernel");
    unpack(fetchPackages(join(cache, "debs"), rootPackages), root);
    unpack(fetchPackages(join(cache, "debs"), [kernelPackage]), kernelTree);
    const version = readdirSync(join(kernelTree, "lib/modules"))[0] ?? "";
    const modules = loadModules(join(root, "bin/busybox"), kernelTree, version);
    makeRoot(root, modules, version);
    makeInitrd(join(work, "initrd"), root, modules, join(work, "out/initrd.gz"));
    cpSync(join(kernelTree, `boot/vmlinuz-${version}`), join(work, "out/vmlinuz"));
    makeDisk(join(work, "out"), "sys", 64, "SYSROOT", root);
    makeDisk(join(work, "out"), "a", 64, "DATAA");
    makeDisk(join(work, "out"), "b", 64, "DATAB");
    if (!existsSync(folder)) renameSync(join(work, "out"), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function unpack(packages: readonly string[], target: string): void {
  mkdirSync(target, { recursive: true });
  for (const path of packages) execFileSync("dpkg-deb", ["-x", path, target]);
}

interface Modules {
  readonly tree: string;
  /** Paths of a module and of all that it needs, the needed ones first. */
  withDependencies(name: string): string[];
}

function loadModules(busybox: string, kernelTree: string, version: string): Modules {
  execFileSync(busybox, ["depmod", "-b", kernelTree, version], { stdio: "ignore" });
  const base = join("lib/modules", version);
  const needs = new Map<string, string[]>();
  for (const line of readFileSync(join(kernelTree, base, "modules.dep"), "utf8").split("\n")) {
    const [path, dependencies] = line.split(":");
    if (path !== undefined && dependencies !== undefined)
      needs.set(path, dependencies.trim().split(/\s+/).filter(Boolean));
  }
  const find = (name: string): string => {
    const found = [...needs.keys()].find((path) => path.endsWith(`/${name}.ko`));
    if (found === undefined) throw new Error(`The kernel ${version} has no module ${name}.`);
    return found;
  };
  const walk = (path: string, seen: Set<string>): void => {
    for (const needed of needs.get(path) ?? []) walk(needed, seen);
    seen.add(path);
  };
  return {
    tree: kernelTree,
    withDependencies: (name) => {
      const seen = new Set<string>();
      walk(find(name), seen);
      return [...seen].map((path) => (path.startsWith("/") ? path.slice(1) : join(base, path)));
    },
  };
}

function makeRoot(root: string, modules: Modules, version: string): void {
  for (const path of ["usr/share", "usr/lib/x86_64-linux-gnu/gconv", "lib/systemd", "etc"]) {
    rmSync(join(root, path), { recursive: true, force: true });
  }
  for (const path of [
    "proc",
    "sys",
    "dev",
    "run",
    "tmp",
    "mnt/a",
    "mnt/b",
    "etc",
    "root",
    "usr/local/bin",
    "var/run",
  ]) {
    mkdirSync(join(root, path), { recursive: true });
  }
  const applets = execFileSync(join(root, "bin/busybox"), ["--list-full"], { encoding: "utf8" }).trim().split("\n");
  for (const path of [...applets, "sbin/init", "bin/sh"]) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    // A link to the guest's busybox leads nowhere here.
    if (lstatSync(join(root, path), { throwIfNoEntry: false }) === undefined)
      symlinkSync("/bin/busybox", join(root, path));
  }
  for (const name of rootModules) {
    for (const path of modules.withDependencies(name)) cpSync(join(modules.tree, path), join(root, path));
  }
  execFileSync(join(root, "bin/busybox"), ["depmod", "-b", root, version], { stdio: "ignore" });
  for (const name of ["inittab", "start", "run-agent"]) cpSync(join(files, name), join(root, "etc", name));
  execFileSync("chmod", ["755", join(root, "etc/start"), join(root, "etc/run-agent")]);
  writeFileSync(join(root, "etc/passwd"), "root::0:0::/root:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\n");
  execFileSync("gcc", ["-O2", "-static", "-o", join(root, "usr/local/bin/counter"), join(files, "counter.c")]);
}

function makeInitrd(folder: string, root: string, modules: Modules, target: string): void {
  for (const path of ["bin", "dev", "proc", "sys", "root", "modules"])
    mkdirSync(join(folder, path), { recursive: true });
  cpSync(join(root, "bin/busybox"), join(folder, "bin/busybox"));
  cpSync(join(files, "initrd-init"), join(folder, "init"));
  execFileSync("chmod", ["755", join(folder, "init")]);
  const needed = [...new Set(initrdModules.flatMap((name) => modules.withDependencies(name)))];
  needed.forEach((path, index) => {
    cpSync(join(modules.tree, path), join(folder, "modules", `${10 + index}-${path.split("/").at(-1)}`));
  });
  const names = execFileSync("find", ["."], { cwd: folder });
  const archive = execFileSync(join(root, "bin/busybox"), ["cpio", "-o", "-H", "newc"], {
    cwd: folder,
    input: names,
    maxBuffer: 64 * 1024 * 1024,
    stdio: ["pipe", "pipe", "ignore"],
  });
  writeFileSync(target, gzipSync(archive));
}

function makeDisk(folder: string, name: string, mebibytes: number, label: string, content?: string): void {
  const raw = join(folder, `${name}.raw`);
  writeFileSync(raw, "");
  truncateSync(raw, mebibytes * 1024 * 1024);
  const source = content === undefined ? [] : ["-d", content];
  execFileSync("mke2fs", ["-q", "-F", "-t", "ext4", "-m0", "-L", label, "-E", "root_owner=0:0", ...source, raw]);
  execFileSync("qemu-img", ["convert", "-O", "qcow2", raw, join(folder, `${name}.qcow2`)]);
  rmSync(raw);
}
