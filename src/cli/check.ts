// `./holdfast check`: types, lint, format, arrows between folders, dead code.

import type { Command } from "commander";
import { ended, start } from "../lib/processes.ts";
import { exitCodes } from "./exit-codes.ts";
import { projectRoot } from "./project.ts";

interface Check {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** How the same tool mends what it finds. */
  readonly mend?: readonly [string, ...string[]];
}

const checks: readonly Check[] = [
  { name: "format", command: ["oxfmt", "--check", "."], mend: ["oxfmt", "--write", "."] },
  { name: "types", command: ["../typescript-native/bin/tsc"] },
  { name: "lint", command: ["oxlint", "--deny-warnings"], mend: ["oxlint", "--fix"] },
  { name: "arrows", command: ["depcruise", "src"] },
  { name: "dead code", command: ["knip"] },
];

export function addCheckCommand(program: Command): void {
  program
    .command("check")
    .description("types, lint, format, layer rules and dead code of this checkout")
    .option("--fix", "let the tools mend what they can")
    .action(async ({ fix }: { fix?: boolean }) => {
      const failed: string[] = [];
      for (const check of checks) {
        if (fix === true && check.mend !== undefined) await runTool(check.mend);
        const passed = (await runTool(check.command)) === 0;
        process.stdout.write(`${passed ? "ok    " : "FAILED"} ${check.name}\n`);
        if (!passed) failed.push(check.name);
      }
      if (failed.length > 0) process.exitCode = exitCodes.failed;
    });
}

function runTool([tool, ...args]: readonly [string, ...string[]]): Promise<number> {
  const child = start(`${projectRoot}/node_modules/.bin/${tool}`, args, { cwd: projectRoot, stdio: "inherit" });
  return ended(child, tool);
}
