// The command line. Each command is a file; only the one that is named is loaded, and what it needs
// when it runs: starting takes as long as Node does.

import { Command, CommanderError } from "commander";
import about from "../../package.json" with { type: "json" };
import { HoldfastError } from "../lib/errors.ts";
import { addExamples } from "./examples.ts";
import { exitCodes, exitCodesHelp } from "./exit-codes.ts";

const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  kql: async () => (await import("./kql.ts")).addKqlCommand,
  query: async () => (await import("./query.ts")).addQueryCommand,
  check: async () => (await import("./check.ts")).addCheckCommand,
  test: async () => (await import("./test.ts")).addTestCommand,
  store: async () => (await import("./store/commands.ts")).addStoreCommand,
  bench: async () => (await import("./bench.ts")).addBenchCommand,
  admin: async () => (await import("./admin.ts")).addAdminCommand,
  "az-env": async () => (await import("./az-env.ts")).addAzEnvCommand,
  db: async () => (await import("./db.ts")).addDbCommand,
  doctor: async () => (await import("./doctor.ts")).addDoctorCommand,
  files: async () => (await import("./files.ts")).addFilesCommand,
  host: async () => (await import("./host.ts")).addHostCommand,
  token: async () => (await import("./token.ts")).addTokenCommand,
  up: async () => (await import("./up.ts")).addUpCommand,
  vault: async () => (await import("./vault.ts")).addVaultCommand,
};

const program: Command = new Command("holdfast")
  .description("Azure Backup for machines you own.")
  .version(about.version)
  .showHelpAfterError("(--help lists what there is)")
  .configureHelp({ sortSubcommands: true })
  .addHelpText("afterAll", ({ command }) =>
    command === program ? exitCodesHelp : "\nWhat exit codes mean is told by ./holdfast --help.",
  )
  .exitOverride();

// Help, and the hint about a name that nothing has, tell of all of them.
const [named = ""] = process.argv.slice(2);
const wanted = Object.hasOwn(commands, named) ? [named] : isVersion(named) ? [] : Object.keys(commands);
for (const load of await Promise.all(wanted.map((name) => commands[name]?.()))) load?.(program);
addExamples(program);

// Whoever reads our output may have enough of it (`| head`): the work itself goes on to its end.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function isVersion(argument: string): boolean {
  return argument === "--version" || argument === "-V";
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
