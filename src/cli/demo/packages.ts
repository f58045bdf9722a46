// What the demo's guest needs and is not installed: installed as root on Debian, and said so.

import { aptInstall, mayInstall } from "../apt-install.ts";
import type { Story } from "./story.ts";

const packageOf: Readonly<Record<string, string>> = {
  "qemu-system-x86_64": "qemu-system-x86",
  "qemu-img": "qemu-utils",
  mke2fs: "e2fsprogs",
  "dpkg-deb": "dpkg",
};

export async function installForGuest(programs: readonly string[], story: Story): Promise<void> {
  const packages = programs.flatMap((program) => packageOf[program] ?? []);
  // Without apt there is no Debian to build a guest from.
  if (!mayInstall() || packages.length === 0) return;
  story.say(`    installing Debian packages: ${packages.join(" ")}`);
  await aptInstall(packages);
}
