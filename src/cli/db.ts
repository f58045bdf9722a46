// `./holdfast db backup|restore|migrate`: the control data, apart from the service. A backup may be
// taken while the service runs; restore and migrate want the data folder for themselves.

import type { Command } from "commander";
import { resolve } from "node:path";
import { systemClock } from "../lib/clock.ts";
import { openControlData, placeOfControlData, type ControlDataOptions } from "./control-data.ts";
import { dataOption } from "./data-option.ts";

interface DbOptions extends ControlDataOptions {
  readonly json?: boolean;
}

export function addDbCommand(program: Command): void {
  const db = program.command("db").description("back up, restore or migrate the control data");

  const add = (name: string, about: string): Command =>
    db
      .command(name)
      .description(about)
      .addOption(dataOption())
      .option("--database-url <url>", "the control data is in PostgreSQL")
      .option("--json", "print the result as JSON");

  add("backup", "write the whole control data to one file; the service may run")
    .argument("<file>", "a new file")
    .addHelpText(
      "after",
      "\nThe file restores into SQLite and PostgreSQL alike. Keep keys/platform.key of the data folder with it:\nsecrets in the control data open with that key only.\n\nExample: ./holdfast db backup --data /srv/holdfast /backups/control.hfdb",
    )
    .action(async (file: string, options: DbOptions) => {
      const { backupDatabase } = await import("../db/backup/backup.ts");
      await using database = await openControlData(options);
      const summary = await backupDatabase(database, resolve(file));
      say(
        options,
        { file: resolve(file), ...summary },
        `wrote ${file}: ${summary.rows} rows of ${summary.tables} tables`,
      );
    });

  add("restore", "fill an empty database from a backup file; the service must not run")
    .argument("<file>", "what db backup wrote")
    .action(async (file: string, options: DbOptions) => {
      const [{ holdDataFolder }, { restoreDatabase }] = await Promise.all([
        import("../db/data-folder.ts"),
        import("../db/backup/restore.ts"),
      ]);
      await using _hold = await holdDataFolder(resolve(options.data), systemClock);
      const summary = await restoreDatabase(resolve(file), { ...placeOfControlData(options), clock: systemClock });
      say(options, { file: resolve(file), ...summary }, `restored ${summary.rows} rows of ${summary.tables} tables`);
    });

  add("migrate", "bring the schema up to date; `up` does it by itself").action(async (options: DbOptions) => {
    const [{ holdDataFolder }, { connectDatabase }, { migrate }] = await Promise.all([
      import("../db/data-folder.ts"),
      import("../db/database.ts"),
      import("../db/migrate.ts"),
    ]);
    await using _hold = await holdDataFolder(resolve(options.data), systemClock);
    await using database = await connectDatabase({ ...placeOfControlData(options), clock: systemClock });
    const applied = await migrate(database);
    say(options, { applied }, applied.length === 0 ? "nothing to do" : `applied ${applied.join(", ")}`);
  });
}

function say(options: DbOptions, result: object, sentence: string): void {
  process.stdout.write(`${options.json === true ? JSON.stringify(result) : sentence}\n`);
}
