// The command line. Each command is a file; what it needs is loaded when it runs, so that
// `./holdfast --help` and `./holdfast token` stay quick.

import { Command, CommanderError } from "commander";
import about from "../../package.json" with { type: "json" };
import { HoldfastError } from "../lib/errors.ts";
import { addAdminCommand } from "./admin.ts";
import { addAzEnvCommand } from "./az-env.ts";
import { addDbCommand } from "./db.ts";
import { addDoctorCommand } from "./doctor.ts";
import { addTokenCommand } from "./token.ts";
import { addUpCommand } from "./up.ts";
import { addCheckCommand } from "./check.ts";
import { exitCodes, exitCodesHelp } from "./exit-codes.ts";
import { addBenchCommand } from "./bench.ts";
import { addFilesCommand } from "./files.ts";
import { addHostCommand } from "./host.ts";
import { addKqlCommand } from "./kql.ts";
import { addQueryCommand } from "./query.ts";
import { addStoreCommand } from "./store/commands.ts";
import { addTestCommand } from "./test.ts";
import { addVaultCommand } from "./vault.ts";

const program = new Command("holdfast")
  .description("Azure Backup for machines you own.")
  .version(about.version)
  .showHelpAfterError("(--help lists what there is)")
  .configureHelp({ sortSubcommands: true })
  .addHelpText("after", exitCodesHelp)
  .exitOverride();

for (const add of [
  addKqlCommand,
  addQueryCommand,
  addCheckCommand,
  addTestCommand,
  addStoreCommand,
  addBenchCommand,
  addAdminCommand,
  addAzEnvCommand,
  addDbCommand,
  addDoctorCommand,
  addFilesCommand,
  addHostCommand,
  addTokenCommand,
  addUpCommand,
  addVaultCommand,
])
  add(program);

// Whoever reads our output may have enough of it (`| head`): the work itself goes on to its end.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** One line on standard error with the remedy, and the exit code that fits. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
  const sentence =
    error instanceof HoldfastError ? error.sentence : error instanceof Error ? error.message : String(error);
  process.stderr.write(`holdfast: ${sentence.replaceAll(/\s*\n\s*/g, " ")}\n`);
  if (process.env["HOLDFAST_DEBUG"] !== undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  if (error instanceof HoldfastError && error.details.length > 0) {
    for (const detail of error.details) process.stderr.write(`  - ${detail.sentence}\n`);
  }
  return error instanceof HoldfastError ? (exitCodes.byErrorCode[error.code] ?? exitCodes.failed) : exitCodes.failed;
}
