// Installing Debian packages where we may: as root on a machine with apt.

import { ended, findProgram, start } from "../lib/processes.ts";

export function mayInstall(): boolean {
  return findProgram("apt-get") !== undefined && process.getuid?.() === 0;
}

/** What could not be installed is seen by looking for it afterwards. */
export async function aptInstall(packages: readonly string[]): Promise<void> {
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const apt = async (...args: string[]): Promise<number> =>
    ended(start("apt-get", args, { env, stdio: ["ignore", "ignore", "inherit"] }), "apt-get");
  await apt("update", "-qq");
  await apt("install", "-y", "-qq", "--no-install-recommends", ...packages);
}
