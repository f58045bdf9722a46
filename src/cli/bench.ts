// `./holdfast bench store`: what a backup, an increment and a restore of two disks cost, measured as a
// user would: each step is the offline tool in a process of its own, its start included.

import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { monotonicMilliseconds } from "../lib/clock.ts";
import { defineErrors } from "../lib/errors.ts";
import { disk } from "../lib/files.ts";
import { run } from "../lib/processes.ts";
import { newGuid } from "../lib/random.ts";
import { projectRoot } from "./project.ts";

const errors = defineErrors({
  UsageInvalid: { status: 400 },
  BenchWrong: { status: 500, remedy: "This is a bug: what was restored is not what was stored." },
});

interface BenchOptions {
  readonly full: string;
  readonly then: string;
  readonly work?: string;
  readonly json?: boolean;
}

interface BackupFigures {
  readonly seconds: number;
  readonly bytesRead: number;
  /** What the vault grew by. */
  readonly bytesStored: number;
  readonly rssMiB: number;
}

export interface StoreBenchResult {
  readonly full: BackupFigures;
  readonly increment: BackupFigures;
  readonly incrementWithBitmap: BackupFigures;
  readonly restore: { readonly seconds: number; readonly rssMiB: number };
  readonly verify: { readonly seconds: number };
  readonly node: string;
  readonly cores: number;
}

export function addBenchCommand(program: Command): void {
  program
    .command("bench")
    .description("measure Holdfast on this machine")
    .command("store")
    .description("full backup, increment with and without bitmap, restore and verify of a pair of raw disks")
    .requiredOption("--full <file>", "the disk of the full backup, raw")
    .requiredOption("--then <file>", "the same disk later, raw")
    .option("--work <folder>", "where the vaults and the restored disk go; removed afterwards", tmpdir())
    .option("--json", "print one JSON document instead of text")
    .addHelpText("after", "\nExample:\n  ./holdfast bench store --full A.raw --then B.raw --json\n")
    .action(async (options: BenchOptions) => {
      const result = await benchStore(options);
      process.stdout.write(options.json === true ? `${JSON.stringify(result)}\n` : `${describe(result)}\n`);
    });
}

async function benchStore(options: BenchOptions): Promise<StoreBenchResult> {
  const [full, then] = [resolve(options.full), resolve(options.then)];
  for (const path of [full, then]) {
    if ((await disk.status(path))?.isFile !== true) throw errors.UsageInvalid(`There is no file ${path}.`);
  }
  const work = join(resolve(options.work ?? tmpdir()), `holdfast-bench-${newGuid()}`);
  await disk.makeDirectory(work);
  try {
    return await measure(full, then, work);
  } finally {
    await disk.removeTree(work);
  }
}

async function measure(full: string, then: string, work: string): Promise<StoreBenchResult> {
  const vault = join(work, "vault");
  const other = join(work, "vault-for-bitmap");
  const key = join(work, "key");
  const bitmap = join(work, "bitmap.json");
  const restored = join(work, "restored.raw");
  await tool(["init", "--store", vault, "--key", key]);
  await writeBitmap(full, then, bitmap);

  const backup = async (place: string, args: readonly string[]): Promise<BackupFigures> => {
    const before = await storedBytes(place);
    const { seconds, printed } = await tool(["add", "--store", place, "--key", key, "--item", "bench", ...args]);
    const { bytesRead, peakMemoryMiB } = printed as { bytesRead: number; peakMemoryMiB: number };
    return { seconds, bytesRead, bytesStored: (await storedBytes(place)) - before, rssMiB: peakMemoryMiB };
  };

  const fullFigures = await backup(vault, ["--disk", `disk=${full}`]);
  await tool(["copy", "--store", vault, "--to", other]);
  const increment = await backup(vault, ["--disk", `disk=${then}`, "--parent", "latest"]);
  const withBitmap = ["--disk", `disk=${then}`, "--parent", "latest", "--bitmap", bitmap];
  const incrementWithBitmap = await backup(other, withBitmap);
  const target = ["--point", "bench/latest", "--disk", "disk", "--to", restored];
  const restore = await tool(["restore", "--store", vault, "--key", key, ...target]);
  await mustBeEqual(then, restored);
  await tool(["restore", "--store", other, "--key", key, ...target, "--overwrite"]);
  await mustBeEqual(then, restored);
  const verify = await tool(["verify", "--store", vault, "--key", key]);
  return {
    full: fullFigures,
    increment,
    incrementWithBitmap,
    restore: {
      seconds: restore.seconds,
      rssMiB: (restore.printed as { peakMemoryMiB: number }).peakMemoryMiB,
    },
    verify: { seconds: verify.seconds },
    node: process.version,
    cores: availableParallelism(),
  };
}

async function tool(args: readonly string[]): Promise<{ seconds: number; printed: unknown }> {
  const start = monotonicMilliseconds();
  const { stdout } = await run(join(projectRoot, "holdfast"), ["store", ...args, "--json"]);
  const seconds = Math.round(monotonicMilliseconds() - start) / 1000;
  return { seconds, printed: JSON.parse(stdout) };
}

/** All files of the vault, however many links and folders they lie in. */
async function storedBytes(folder: string): Promise<number> {
  let sum = 0;
  for (const name of await disk.list(folder)) {
    const path = join(folder, name);
    const status = await disk.linkStatus(path);
    if (status?.isDirectory === true) sum += await storedBytes(path);
    else sum += status?.size ?? 0;
  }
  return sum;
}

const granularity = 64 * 1024;

/** The bitmap that a hypervisor would have kept: runs of 64 KiB in which the two disks differ. */
async function writeBitmap(full: string, then: string, path: string): Promise<void> {
  const runs: { offset: number; length: number }[] = [];
  await comparePieces(full, then, (offset, length) => {
    const last = runs.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += length;
    else runs.push({ offset, length });
  });
  await disk.writeDurably(path, JSON.stringify(runs));
}

async function mustBeEqual(expected: string, actual: string): Promise<void> {
  await comparePieces(expected, actual, (offset) => {
    throw errors.BenchWrong(`The restored disk differs at ${offset}.`);
  });
}

async function comparePieces(
  one: string,
  other: string,
  onDifference: (offset: number, length: number) => void,
): Promise<void> {
  await using first = await disk.open(one, "read");
  await using second = await disk.open(other, "read");
  const { size } = await first.status();
  if ((await second.status()).size !== size) throw errors.UsageInvalid(`${one} and ${other} are not equally large.`);
  const [left, right] = [Buffer.alloc(4 * 1024 * 1024), Buffer.alloc(4 * 1024 * 1024)];
  for (let offset = 0; offset < size; offset += left.length) {
    const count = await first.read(left, offset);
    await second.read(right, offset);
    for (let at = 0; at < count; at += granularity) {
      const end = Math.min(at + granularity, count);
      if (!left.subarray(at, end).equals(right.subarray(at, end))) onDifference(offset + at, end - at);
    }
  }
}

function describe({ full, increment, incrementWithBitmap, restore, verify, node, cores }: StoreBenchResult): string {
  const line = (name: string, figures: BackupFigures): string =>
    `${name.padEnd(22)} ${figures.seconds.toFixed(2)} s, read ${mega(figures.bytesRead)}, stored ${mega(figures.bytesStored)}, memory ${figures.rssMiB} MiB`;
  return [
    line("full", full),
    line("increment", increment),
    line("increment with bitmap", incrementWithBitmap),
    `${"restore".padEnd(22)} ${restore.seconds.toFixed(2)} s, memory ${restore.rssMiB} MiB`,
    `${"verify".padEnd(22)} ${verify.seconds.toFixed(2)} s`,
    `Node ${node}, ${cores} cores`,
  ].join("\n");
}

const mega = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;
