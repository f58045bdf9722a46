// `./holdfast kql`: a query over files, or a list of queries with one JSON line for each.

import type { Command } from "commander";
import { resolve } from "node:path";
import { z } from "zod";
import type { OfflineOptions } from "../kql/offline/index.ts";
import { defineErrors } from "../lib/errors.ts";
import { disk } from "../lib/files.ts";
import { systemClock } from "../lib/clock.ts";

const errors = defineErrors({ UsageInvalid: { status: 400 } });

interface KqlCommandOptions {
  readonly schema?: string;
  readonly cases?: string;
  readonly json?: boolean;
  readonly memory: string;
}

const caseList = z.array(z.object({ name: z.string(), query: z.string() }));

export function addKqlCommand(program: Command): void {
  program
    .command("kql")
    .description("run a KQL query (from standard input) over NDJSON, CSV or Parquet files")
    .option("--schema <file>", "which tables there are and which files hold them (docs/kql.md)")
    .option("--cases <file>", "a JSON array of {name, query}; prints one JSON line for each")
    .option("--json", "print the result as one line of JSON")
    .option("--memory <MiB>", "how much memory the query may use", "1024")
    .action(runKqlCommand);
}

async function runKqlCommand(options: KqlCommandOptions): Promise<void> {
  const memory = Number(options.memory);
  if (!Number.isInteger(memory) || memory < 64) {
    throw errors.UsageInvalid(`--memory ${options.memory}: must be a whole number of MiB, at least 64.`);
  }
  const settings: OfflineOptions = {
    schemaFile: options.schema === undefined ? undefined : resolve(options.schema),
    memoryLimitMiB: memory,
    clock: systemClock,
  };
  const { openOffline, runCases } = await import("../kql/offline/index.ts");
  await using offline = await openOffline(settings);
  if (options.cases !== undefined) {
    const cases = await readCases(resolve(options.cases));
    for await (const line of runCases(offline.engine, cases)) process.stdout.write(`${JSON.stringify(line)}\n`);
    return;
  }
  const text = await standardInput();
  if (text.trim() === "") throw errors.UsageInvalid("There is no query on standard input: ./holdfast kql < query.kql");
  for await (const line of offline.print(text, options.json === true)) process.stdout.write(`${line}\n`);
}

async function readCases(path: string): Promise<z.infer<typeof caseList>> {
  const text = (await disk.read(path)).toString("utf8");
  const parsed = caseList.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw errors.UsageInvalid(`--cases ${path}: must be a JSON array of {"name", "query"}.`);
}

async function standardInput(): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString("utf8");
}
