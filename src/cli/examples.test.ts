import assert from "node:assert/strict";
import { Command } from "commander";
import { test } from "node:test";
import { addAdminCommand } from "./admin.ts";
import { addBenchCommand } from "./bench.ts";
import { addCheckCommand } from "./check.ts";
import { addDbCommand } from "./db.ts";
import { addDoctorCommand } from "./doctor.ts";
import { examples } from "./examples.ts";
import { addFilesCommand } from "./files.ts";
import { addHostCommand } from "./host.ts";
import { addKqlCommand } from "./kql.ts";
import { addQueryCommand } from "./query.ts";
import { addTestCommand } from "./test.ts";
import { addTokenCommand } from "./token.ts";
import { addUpCommand } from "./up.ts";
import { addVaultCommand } from "./vault.ts";

const adding = [
  [addAdminCommand, addBenchCommand, addCheckCommand, addDbCommand, addDoctorCommand, addFilesCommand],
  [addHostCommand, addKqlCommand, addQueryCommand, addTestCommand, addTokenCommand, addUpCommand, addVaultCommand],
].flat();

function newProgram(run: (words: string) => void): Command {
  const program = new Command("holdfast");
  for (const add of adding) add(program);
  const prepare = (command: Command, words: readonly string[]): void => {
    command.exitOverride().configureOutput({ writeErr: () => {} });
    if (command.commands.length === 0) command.action(() => run(words.join(" ")));
    for (const sub of command.commands) prepare(sub, [...words, sub.name()]);
  };
  prepare(program, []);
  return program;
}

function leaves(command: Command, words: readonly string[] = []): string[] {
  if (command.commands.length === 0) return [words.join(" ")];
  return command.commands.flatMap((sub) => leaves(sub, [...words, sub.name()]));
}

/** As a shell cuts it, without what goes to the standard streams. */
function cut(text: string): string[] {
  const words = [...text.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
  return words.filter((word) => !word.startsWith("<"));
}

test("every command has examples", () => {
  const program = newProgram(() => {});
  const withOwnText = ["db backup"];
  assert.deepEqual(
    leaves(program).filter((words) => examples[words] === undefined),
    withOwnText,
  );
});

for (const [words, all] of Object.entries(examples)) {
  if (words === "") continue;
  for (const example of all) {
    test(`holdfast ${words} ${example}: is a command line that is taken`, async () => {
      const run: string[] = [];
      await newProgram((named) => run.push(named)).parseAsync([...cut(words), ...cut(example)], { from: "user" });
      assert.deepEqual(run, [words]);
    });
  }
}
