// Debian packages as files, through apt's own client; nothing is installed.

import { join } from "node:path";
import { defineErrors } from "../lib/errors.ts";
import { disk } from "../lib/files.ts";
import { run } from "../lib/processes.ts";
import { newGuid } from "../lib/random.ts";

export const guestErrors = defineErrors({
  GuestPackagesMissing: {
    status: 500,
    remedy: "Run apt-get update on a Debian machine that reaches its package archive, then try again.",
  },
});

/** Programs of the host by which a guest is built. */
export const buildPrograms = ["apt-cache", "apt-get", "dpkg-deb", "mke2fs", "qemu-img"] as const;

/** `linux-image-6.1.0-NN-cloud-amd64`, which the meta package depends on. */
export async function newestKernelPackage(signal?: AbortSignal): Promise<string> {
  const { stdout } = await run("apt-cache", ["depends", "linux-image-cloud-amd64"], { signal });
  const name = /Depends: (linux-image-\S+-cloud-amd64)$/m.exec(stdout)?.[1];
  if (name === undefined) throw guestErrors.GuestPackagesMissing("apt knows no linux-image-cloud-amd64.");
  return name;
}

/** Paths of the packages below `folder`; downloads those that are not there. */
export async function fetchPackages(
  folder: string,
  names: readonly string[],
  signal?: AbortSignal,
): Promise<readonly string[]> {
  await disk.makeDirectory(folder);
  const present = await disk.list(folder);
  const missing = names.filter((name) => fileOf(name, present) === undefined);
  if (missing.length > 0) await download(folder, missing, signal);
  const files = await disk.list(folder);
  return names.map((name) => join(folder, fileOf(name, files) ?? name));
}

function fileOf(name: string, files: readonly string[]): string | undefined {
  return files.find((file) => file.startsWith(`${name}_`) && file.endsWith(".deb"));
}

async function download(folder: string, names: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const temporary = join(folder, `download-${newGuid()}`);
  await disk.makeDirectory(temporary);
  try {
    const args = ["download", "-qq", "-o", "APT::Sandbox::User=", ...names];
    await run("apt-get", args, { cwd: temporary, signal, timeoutMilliseconds: 600_000 }).catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw guestErrors.GuestPackagesMissing(`apt-get could not download ${names.join(", ")}.`, { cause });
    });
    for (const file of await disk.list(temporary)) await disk.rename(join(temporary, file), join(folder, file));
  } finally {
    await disk.removeTree(temporary);
  }
}

export async function unpackPackages(packages: readonly string[], target: string, signal?: AbortSignal): Promise<void> {
  await disk.makeDirectory(target, 0o755);
  for (const path of packages) await run("dpkg-deb", ["-x", path, target], { signal });
}
