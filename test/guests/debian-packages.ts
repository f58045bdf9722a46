// Debian packages as files, through apt's own client; nothing is installed.

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

/** `linux-image-6.1.0-NN-cloud-amd64`, which the meta package depends on. */
export function newestKernelPackage(): string {
  const text = execFileSync("apt-cache", ["depends", "linux-image-cloud-amd64"], { encoding: "utf8" });
  const name = /Depends: (linux-image-\S+-cloud-amd64)$/m.exec(text)?.[1];
  if (name === undefined) throw new Error("apt knows no linux-image-cloud-amd64: run apt-get update.");
  return name;
}

/** Paths of the packages below `folder`; downloads those that are not there. */
export function fetchPackages(folder: string, names: readonly string[]): string[] {
  mkdirSync(folder, { recursive: true });
  const find = (name: string): string | undefined =>
    readdirSync(folder).find((file) => file.startsWith(`${name}_`) && file.endsWith(".deb"));
  const missing = names.filter((name) => find(name) === undefined);
  if (missing.length > 0) {
    const temporary = join(folder, `download-${process.pid}`);
    mkdirSync(temporary);
    try {
      execFileSync("apt-get", ["download", "-qq", "-o", "APT::Sandbox::User=", ...missing], {
        cwd: temporary,
        stdio: ["ignore", "ignore", "pipe"],
      });
      for (const file of readdirSync(temporary)) renameSync(join(temporary, file), join(folder, file));
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  }
  return names.map((name) => join(folder, find(name) ?? name));
}
