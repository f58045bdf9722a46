// The helper guest: Debian's kernel and a small root in memory, put together without root rights from
// Debian packages, once for each version of what is in it, and kept in the data folder. File systems of
// recovery points are opened in there and nowhere else.

import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { HoldfastError } from "../../lib/errors.ts";
import { disk } from "../../lib/files.ts";
import { findProgram, run } from "../../lib/processes.ts";
import { newGuid } from "../../lib/random.ts";
import { fetchPackages, newestKernelPackage, unpackPackages } from "../../tiny-guest/debian-packages.ts";
import { makeArchive, type InitrdFile } from "../../tiny-guest/initrd.ts";
import { readKernelModules, type KernelModules } from "../../tiny-guest/kernel-modules.ts";
import { fileRecoveryErrors } from "./errors.ts";

export interface HelperImage {
  readonly kernel: string;
  readonly initrd: string;
}

const init = join(import.meta.dirname, "..", "..", "..", "guest-files", "file-recovery", "init");
const packages = ["busybox-static", "findutils", "util-linux", "cryptsetup-bin", "lvm2", "libc6", "libgcc-s1"];
const modules = [
  ["virtio_pci", "virtio_blk", "virtio_console", "ext4", "xfs", "btrfs", "vfat", "exfat", "isofs", "squashfs"],
  ["nls_cp437", "nls_ascii", "nls_utf8", "nls_iso8859-1", "dm-mod", "dm-crypt", "dm-thin-pool", "dm-snapshot"],
  [
    "algif_skcipher",
    "algif_hash",
    "xts",
    "ecb",
    "cbc",
    "essiv",
    "aes_generic",
    "sha512_generic",
    "sha256_generic",
    "aesni-intel",
    "aes_ti",
    "crc32c_generic",
  ],
].flat();
/** Beside busybox's, which can do less. */
const programs = { find: "bin/find", blkid: "sbin/blkid", cryptsetup: "sbin/cryptsetup", lvm: "sbin/lvm" };
const folders = ["proc", "sys", "dev", "tmp", "run", "volumes", "etc"];
const libraryFolders = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"];
const neededPrograms = ["apt-cache", "apt-get", "dpkg-deb"];

const building = new Map<string, Promise<HelperImage>>();

/** The image in `folder`; builds it when it is not there. Several callers wait for one build. */
export function ensureHelperImage(folder: string, signal?: AbortSignal): Promise<HelperImage> {
  const known = building.get(folder);
  if (known !== undefined) return known;
  const made = findOrBuild(folder, signal).finally(() => building.delete(folder));
  building.set(folder, made);
  return made;
}

async function findOrBuild(folder: string, signal: AbortSignal | undefined): Promise<HelperImage> {
  const script = await disk.read(init);
  const parts = [...packages, ...modules].join();
  const place = join(folder, createHash("sha256").update(script).update(parts).digest("hex").slice(0, 16));
  const image = { kernel: join(place, "vmlinuz"), initrd: join(place, "initrd") };
  if ((await disk.status(image.initrd)) !== undefined) return image;
  const missing = neededPrograms.filter((program) => findProgram(program) === undefined);
  if (missing.length > 0) {
    throw fileRecoveryErrors.FileRecoveryUnavailable(
      `The helper guest of file recovery is not there and cannot be built here: ${missing.join(", ")} is missing.`,
    );
  }
  try {
    await build(folder, place, script, signal);
  } catch (cause) {
    signal?.throwIfAborted();
    const why = cause instanceof HoldfastError ? cause.sentence : String(cause);
    throw fileRecoveryErrors.FileRecoveryUnavailable(`The helper guest of file recovery could not be built: ${why}`, {
      cause,
    });
  }
  return image;
}

/** Built beside its place and moved there when whole. */
async function build(folder: string, place: string, script: Buffer, signal: AbortSignal | undefined): Promise<void> {
  const work = join(folder, `.building-${newGuid()}`);
  const out = join(work, "out");
  await disk.makeDirectory(out);
  try {
    const tree = join(work, "tree");
    const kernel = join(work, "kernel");
    const cache = join(folder, "debs");
    const names = [...packages, ...(await librariesOf(signal))];
    await unpackPackages(await fetchPackages(cache, names, signal), tree, signal);
    await unpackPackages(await fetchPackages(cache, [await newestKernelPackage(signal)], signal), kernel, signal);
    const busybox = join(tree, "bin/busybox");
    const known = await readKernelModules(busybox, kernel, signal);
    const files = [
      { path: "init", content: script, executable: true },
      ...(await programFiles(tree, signal)),
      ...(await moduleFiles(busybox, known, work, signal)),
    ];
    await disk.writeDurably(join(out, "initrd"), makeArchive(files, folders), 0o644);
    await disk.writeDurably(
      join(out, "vmlinuz"),
      await disk.read(join(kernel, `boot/vmlinuz-${known.version}`)),
      0o644,
    );
    if ((await disk.status(place)) === undefined) await disk.rename(out, place);
    await disk.syncDirectory(folder);
  } finally {
    await disk.removeTree(work);
  }
}

async function programFiles(tree: string, signal: AbortSignal | undefined): Promise<InitrdFile[]> {
  const busybox = join(tree, "bin/busybox");
  const files: InitrdFile[] = [{ path: "bin/busybox", content: await disk.read(busybox), executable: true }];
  const { stdout } = await run(busybox, ["--list"], { signal });
  for (const applet of stdout.trim().split("\n")) {
    if (applet !== "busybox") files.push({ path: `bin/${applet}`, content: "busybox", isLink: true });
  }
  // Packages say bin/ or usr/bin/: on a Debian machine both are one folder.
  const find = async (path: string): Promise<string> => {
    const merged = join(tree, "usr", path);
    return (await disk.status(merged)) === undefined ? join(tree, path) : merged;
  };
  const loader = join(tree, "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2");
  const libraries = new Set([join(tree, "lib/x86_64-linux-gnu/libgcc_s.so.1")]); // loaded when a thread ends
  for (const [name, path] of Object.entries(programs)) {
    const from = await find(path);
    files.push({ path: `sbin/${name}`, content: await disk.read(from), executable: true });
    const searched = libraryFolders.map((folder) => join(tree, folder)).join(":");
    const linked = await run(loader, ["--library-path", searched, "--list", from], { signal });
    for (const [, library = ""] of linked.stdout.matchAll(/=> (\/\S+)/g)) libraries.add(library);
  }
  files.push({ path: "lib64/ld-linux-x86-64.so.2", content: await disk.read(loader), executable: true });
  for (const path of libraries) files.push({ path: `lib/${basename(path)}`, content: await disk.read(path) });
  return files;
}

async function moduleFiles(
  busybox: string,
  known: KernelModules,
  work: string,
  signal: AbortSignal | undefined,
): Promise<InitrdFile[]> {
  const present = new Set<string>();
  for (const name of modules) {
    try {
      for (const path of known.withDependencies([name])) present.add(path);
    } catch {
      // Built into this kernel.
    }
  }
  const root = join(work, "modules");
  const files: InitrdFile[] = [];
  for (const path of present) {
    const content = await disk.read(join(known.tree, path));
    files.push({ path, content });
    await disk.makeDirectory(join(root, path, ".."));
    await disk.writeDurably(join(root, path), content);
  }
  // `modprobe` in the guest reads an index of exactly these.
  await run(busybox, ["depmod", "-b", root, known.version], { signal });
  const base = `lib/modules/${known.version}`;
  for (const name of await disk.list(join(root, base))) {
    if (name.startsWith("modules."))
      files.push({ path: `${base}/${name}`, content: await disk.read(join(root, base, name)) });
  }
  return files;
}

/** What the programs are linked against, by apt's own word. */
async function librariesOf(signal: AbortSignal | undefined): Promise<string[]> {
  const quiet = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map((kind) => `--no-${kind}`);
  const { stdout } = await run("apt-cache", ["depends", "--recurse", ...quiet, ...packages], { signal });
  // libsystemd0 and libelogind0 exclude each other; Debian's programs are linked against the first.
  const names = stdout.split("\n").filter((line) => /^lib[a-z0-9.+-]+$/.test(line) && !line.startsWith("libelogind"));
  return [...new Set(names)].filter((name) => !packages.includes(name)).sort();
}
