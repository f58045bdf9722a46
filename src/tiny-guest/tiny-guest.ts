// A guest that boots to its agent in seconds even under emulation: Debian's kernel, busybox and
// qemu-ga on 64 MiB of ext4, built without root from Debian packages. The folder that it is kept in is
// named by the hash of what it is made from, so a change here makes a new one.

import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { disk, makeSymbolicLink } from "../lib/files.ts";
import { run } from "../lib/processes.ts";
import { newGuid } from "../lib/random.ts";
import { fetchPackages, newestKernelPackage, unpackPackages } from "./debian-packages.ts";
import { makeExt4Image } from "./ext4-image.ts";
import { makeArchive, type InitrdFile } from "./initrd.ts";
import { readKernelModules, type KernelModules } from "./kernel-modules.ts";
import { quickBoot } from "./quick-boot.ts";

export interface TinyGuest {
  readonly kernelPath: string;
  readonly initrdPath: string;
  readonly commandLine: string;
  /** Templates to copy: the system disk, and ext4 disks that the guest mounts on /mnt/a and /mnt/b. */
  readonly disks: { readonly sys: string; readonly a: string; readonly b: string };
}

export interface TinyGuestOptions {
  /** Where packages and guests are kept. */
  readonly cache: string;
  /** More for the guest's system disk, by path. */
  readonly programs?: Readonly<Record<string, Uint8Array>>;
  readonly signal?: AbortSignal;
}

const files = join(import.meta.dirname, "..", "..", "guest-files", "tiny-guest");
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
const unneeded = ["usr/share", "usr/lib/x86_64-linux-gnu/gconv", "lib/systemd", "etc"];
const folders = ["proc", "sys", "dev", "run", "tmp", "mnt/a", "mnt/b", "etc", "root", "usr/local/bin", "var/run"];
const commandLine = `console=ttyS0 ${quickBoot}`;

export async function tinyGuest(options: TinyGuestOptions): Promise<TinyGuest> {
  const kernelPackage = await newestKernelPackage(options.signal);
  const folder = join(options.cache, await nameOf(kernelPackage, options.programs ?? {}));
  if ((await disk.status(folder)) === undefined) await build(folder, kernelPackage, options);
  const image = (name: string): string => join(folder, `${name}.qcow2`);
  return {
    kernelPath: join(folder, "vmlinuz"),
    initrdPath: join(folder, "initrd"),
    commandLine,
    disks: { sys: image("sys"), a: image("a"), b: image("b") },
  };
}

async function nameOf(kernelPackage: string, programs: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const hash = createHash("sha256").update(kernelPackage);
  for (const folder of [files, import.meta.dirname]) {
    for (const name of (await disk.list(folder)).sort()) hash.update(name).update(await disk.read(join(folder, name)));
  }
  for (const [path, content] of Object.entries(programs)) hash.update(path).update(content);
  return hash.digest("hex").slice(0, 16);
}

/** Built beside its place and moved there when whole, so two builds at once do no harm. */
async function build(
  folder: string,
  kernelPackage: string,
  { cache, programs = {}, signal }: TinyGuestOptions,
): Promise<void> {
  const work = `${folder}.${newGuid()}`;
  const out = join(work, "out");
  await disk.makeDirectory(out, 0o755);
  try {
    const root = join(work, "root");
    const kernel = join(work, "kernel");
    const packages = join(cache, "debs");
    await unpackPackages(await fetchPackages(packages, rootPackages, signal), root, signal);
    await unpackPackages(await fetchPackages(packages, [kernelPackage], signal), kernel, signal);
    const busybox = join(root, "bin/busybox");
    const modules = await readKernelModules(busybox, kernel, signal);
    await makeRoot(root, modules, programs, signal);
    await disk.writeDurably(
      join(out, "initrd"),
      makeArchive(await initrdFiles(busybox, modules), initrdFolders),
      0o644,
    );
    await disk.writeDurably(
      join(out, "vmlinuz"),
      await disk.read(join(kernel, `boot/vmlinuz-${modules.version}`)),
      0o644,
    );
    await makeExt4Image({ path: join(out, "sys.qcow2"), mebibytes: 64, label: "SYSROOT", content: root }, signal);
    await makeExt4Image({ path: join(out, "a.qcow2"), mebibytes: 64, label: "DATAA" }, signal);
    await makeExt4Image({ path: join(out, "b.qcow2"), mebibytes: 64, label: "DATAB" }, signal);
    if ((await disk.status(folder)) === undefined) await disk.rename(out, folder);
  } finally {
    await disk.removeTree(work);
  }
}

async function makeRoot(
  root: string,
  modules: KernelModules,
  programs: Readonly<Record<string, Uint8Array>>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const path of unneeded) await disk.removeTree(join(root, path));
  for (const path of folders) await disk.makeDirectory(join(root, path), 0o755);
  const busybox = join(root, "bin/busybox");
  const { stdout } = await run(busybox, ["--list-full"], { signal });
  for (const path of [...stdout.trim().split("\n"), "sbin/init", "bin/sh"]) {
    await disk.makeDirectory(dirname(join(root, path)), 0o755);
    // A link to the guest's busybox leads nowhere here.
    if ((await disk.linkStatus(join(root, path))) === undefined)
      await makeSymbolicLink("/bin/busybox", join(root, path));
  }
  for (const path of modules.withDependencies(rootModules)) {
    await write(join(root, path), await disk.read(join(modules.tree, path)), 0o644);
  }
  await run(busybox, ["depmod", "-b", root, modules.version], { signal });
  await write(join(root, "etc/inittab"), await disk.read(join(files, "inittab")), 0o644);
  for (const name of ["start", "run-agent"])
    await write(join(root, "etc", name), await disk.read(join(files, name)), 0o755);
  await write(join(root, "etc/passwd"), "root::0:0::/root:/bin/sh\n", 0o644);
  await write(join(root, "etc/group"), "root:x:0:\n", 0o644);
  for (const [path, content] of Object.entries(programs)) await write(join(root, path), content, 0o755);
}

async function write(path: string, content: Uint8Array | string, permissions: number): Promise<void> {
  await disk.makeDirectory(dirname(path), 0o755);
  await disk.writeDurably(path, content, permissions);
}

const initrdFolders = ["dev", "proc", "sys", "root"];

async function initrdFiles(busybox: string, modules: KernelModules): Promise<InitrdFile[]> {
  const paths = modules.withDependencies(initrdModules);
  const loaded = await Promise.all(
    paths.map(async (path, index) => ({
      // Their names are the order in which they are loaded.
      path: `modules/${10 + index}-${path.split("/").at(-1)}`,
      content: await disk.read(join(modules.tree, path)),
    })),
  );
  return [
    { path: "bin/busybox", content: await disk.read(busybox), executable: true },
    { path: "init", content: await disk.read(join(files, "initrd-init")), executable: true },
    ...loaded,
  ];
}
