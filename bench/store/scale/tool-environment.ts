// The environment in which `./holdfast store` runs, for what is measured without starting the tool.

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const launcher = join(resolve(import.meta.dirname, "../../.."), "holdfast");

/** The variables that the launcher exports with a value of its own. */
export function toolEnvironment(): Record<string, string> {
  const exported = readFileSync(launcher, "utf8").matchAll(/^ +export (\w+)="\$\{\1:-([^}]+)\}"$/gm);
  const found = Object.fromEntries([...exported].map(([, name, value]) => [name, value])) as Record<string, string>;
  if (Object.keys(found).length === 0) throw new Error(`${launcher} exports nothing that could be read`);
  return found;
}
