// The modules of an unpacked kernel, with what each of them needs.

import { basename, join } from "node:path";
import { disk } from "../lib/files.ts";
import { run } from "../lib/processes.ts";

export interface KernelModules {
  readonly version: string;
  /** Where the kernel is unpacked. */
  readonly tree: string;
  /** Paths below `tree` of the modules and of all that they need, the needed ones first. */
  withDependencies(names: readonly string[]): string[];
}

/** `busybox`: the static one, whose depmod reads the kernel. */
export async function readKernelModules(busybox: string, tree: string, signal?: AbortSignal): Promise<KernelModules> {
  const [version = ""] = await disk.list(join(tree, "lib/modules"));
  await run(busybox, ["depmod", "-b", tree, version], { signal });
  const base = join("lib/modules", version);
  const needs = new Map<string, readonly string[]>();
  for (const line of (await disk.read(join(tree, base, "modules.dep"))).toString("utf8").split("\n")) {
    const [path, needed] = line.split(":");
    if (path !== undefined && needed !== undefined) needs.set(path, needed.trim().split(/\s+/).filter(Boolean));
  }
  const find = (name: string): string => {
    const found = [...needs.keys()].find((path) => basename(path).replace(/\.ko(\.\w+)?$/, "") === name);
    if (found === undefined) throw new Error(`the kernel ${version} has no module ${name}`);
    return found;
  };
  const walk = (path: string, seen: Set<string>): void => {
    for (const needed of needs.get(path) ?? []) walk(needed, seen);
    seen.add(path);
  };
  return {
    version,
    tree,
    withDependencies: (names) => {
      const seen = new Set<string>();
      for (const name of names) walk(find(name), seen);
      return [...seen].map((path) => (path.startsWith("/") ? path.slice(1) : join(base, path)));
    },
  };
}
