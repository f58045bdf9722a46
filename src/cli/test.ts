// `./holdfast test`: installs what the tests need (Debian, as root), runs the groups, counts.
// With CI=true nothing may be skipped: a skip is a failure. Many tests wait more than they compute (for a
// guest to boot, for az to ask again), so two groups run side by side.

import type { Command } from "commander";
import { run as runNodeTests } from "node:test";
import { defineErrors } from "../lib/errors.ts";
import { findFiles } from "../lib/files.ts";
import { eachInParallel } from "../lib/parallel.ts";
import { aptInstall, mayInstall } from "./apt-install.ts";
import { exitCodes } from "./exit-codes.ts";
import { projectRoot } from "./project.ts";
import { testGroups, type DebianPackage, type TestGroup } from "./test-groups.ts";

const errors = defineErrors({ UsageInvalid: { status: 400 } });

interface TestOptions {
  readonly only?: readonly string[];
  readonly long?: boolean;
  readonly file?: readonly string[];
}

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

export function addTestCommand(program: Command): void {
  program
    .command("test")
    .description("run the tests; on Debian as root it first installs the packages that they need")
    .option("--only <group...>", `one or more of: ${testGroups.map(({ name }) => name).join(", ")}`)
    .option("--file <path...>", "only test files whose path contains one of these")
    .option("--long", "run the campaigns (crash states, kills, fuzz, chaos) at full size")
    .action(runTestCommand);
}

async function runTestCommand(options: TestOptions): Promise<void> {
  const groups = chooseGroups(options.only);
  const missing = await installPackages(groups);
  const isCi = process.env["CI"] === "true";
  const total: Tally = { passed: 0, failed: 0, skipped: 0 };
  if (options.long === true) process.env["HOLDFAST_TEST_LONG"] = "1";
  const run = async (group: TestGroup): Promise<void> => {
    const files = (await findFiles(group.files, projectRoot)).filter(
      (path) => options.file === undefined || options.file.some((part) => path.includes(part)),
    );
    if (files.length === 0) return;
    process.stdout.write(`\n== ${group.name}: ${group.about} (${files.length} files)\n`);
    const lacking = group.packages.filter(({ name }) => missing.has(name)).map(({ name }) => name);
    if (lacking.length === 0) return runGroup(group, files, total, options.long === true);
    process.stdout.write(`skipped, a file counts as one: missing ${lacking.join(", ")}\n`);
    total.skipped += files.length;
  };
  const { alone = [], paired = [] } = Object.groupBy(groups, ({ serial }) => (serial === true ? "paired" : "alone"));
  for (const group of alone) await run(group);
  await eachInParallel(paired, options.long === true ? 1 : 2, run);
  if (isCi && total.skipped > 0) {
    process.stdout.write(`${total.skipped} skipped tests count as failed, because CI=true\n`);
    total.failed += total.skipped;
    total.skipped = 0;
  }
  if (total.failed > 0 || total.passed + total.skipped === 0) process.exitCode = exitCodes.failed;
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed${skipped}\n`);
}

function chooseGroups(only: readonly string[] | undefined): readonly TestGroup[] {
  if (only === undefined) return testGroups;
  const names = only.flatMap((text) => text.split(","));
  const unknown = names.find((name) => !testGroups.some((group) => group.name === name));
  if (unknown !== undefined) {
    throw errors.UsageInvalid(
      `--only ${unknown}: there is no such group. Choose from: ${testGroups.map(({ name }) => name).join(", ")}.`,
    );
  }
  return testGroups.filter((group) => names.includes(group.name));
}

/** Returns the names of packages that are still missing afterwards. */
async function installPackages(groups: readonly TestGroup[]): Promise<Set<string>> {
  const wanted = new Map(groups.flatMap((group) => group.packages.map((entry) => [entry.name, entry] as const)));
  const missing: string[] = [];
  for (const entry of wanted.values()) if (!(await isInstalled(entry))) missing.push(entry.name);
  if (missing.length === 0) return new Set();
  if (!mayInstall()) {
    process.stdout.write(`missing on this machine (Debian packages): ${missing.join(" ")}\n`);
    return new Set(missing);
  }
  process.stdout.write(`installing Debian packages for the tests: ${missing.join(" ")}\n`);
  await aptInstall(missing);
  const stillMissing = new Set<string>();
  for (const entry of wanted.values()) if (!(await isInstalled(entry))) stillMissing.add(entry.name);
  return stillMissing;
}

async function isInstalled(entry: DebianPackage): Promise<boolean> {
  return (await findFiles([entry.shows.slice(1)], "/")).length > 0;
}

async function runGroup(group: TestGroup, files: readonly string[], total: Tally, long: boolean): Promise<void> {
  const stream = runNodeTests({
    files: files.map((path) => `${projectRoot}/${path}`),
    concurrency: group.serial === true ? 1 : 2,
    timeout: (long ? 6 * 60 : 45) * 60_000,
  });
  await follow(stream, group.name, total);
}

async function follow(stream: ReturnType<typeof runNodeTests>, group: string, total: Tally): Promise<void> {
  stream.on("test:pass", (event) => {
    if (event.details.type === "suite" || event.name === event.file) return; // a file without tests proves nothing
    if (event.skip !== undefined && event.skip !== false) {
      total.skipped += 1;
      process.stdout.write(
        `  ${group}: skipped ${event.name}${typeof event.skip === "string" ? `: ${event.skip}` : ""}\n`,
      );
    } else {
      total.passed += 1;
      process.stdout.write(`  ${group}: ok ${event.name} (${Math.round(event.details.duration_ms)} ms)\n`);
    }
  });
  stream.on("test:fail", (event) => {
    if (event.details.type === "suite" && isOnlyFailedInside(event.details.error)) return;
    total.failed += 1;
    const place = `${event.file?.replace(`${projectRoot}/`, "") ?? ""}:${event.line ?? ""}`;
    process.stdout.write(`  ${group}: FAILED ${event.name} (${place})\n${describeFailure(event.details.error)}\n`);
  });
  stream.on("test:stderr", (event) => process.stderr.write(event.message));
  stream.on("test:stdout", (event) => process.stdout.write(event.message));
  for await (const _ of stream);
}

/** A suite that failed because of a test in it has been counted with that test. */
function isOnlyFailedInside(error: Error & { failureType?: string }): boolean {
  return error.failureType === "subtestsFailed";
}

function describeFailure(error: Error): string {
  const cause =
    error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : String(error.cause ?? error.message);
  return cause.replaceAll(/^/gm, "    ");
}
