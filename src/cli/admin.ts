// `./holdfast admin renew`: a way back in for whoever holds the data folder and lost admin.json.

import type { Command } from "commander";
import { resolve } from "node:path";
import { openControlData, type ControlDataOptions } from "./control-data.ts";
import { dataOption } from "./data-option.ts";

export function addAdminCommand(program: Command): void {
  program
    .command("admin")
    .description("the administrator's way in")
    .command("renew")
    .description("write new administrator credentials to admin.json; the service may run")
    .addOption(dataOption())
    .option("--database-url <url>", "the control data is in PostgreSQL")
    .addHelpText(
      "after",
      "\nThe user admin gets a new password, and a new service principal is made Owner. If the lost credentials\nmay be in strange hands, delete their service principal:\n  az ad sp list --display-name 'Holdfast administrator'   and   az ad app delete --id APPID",
    )
    .action(async (options: ControlDataOptions) => {
      const { renewAdmin } = await import("../server/renew-admin.ts");
      await using database = await openControlData(options);
      const { username, file } = await renewAdmin(database, resolve(options.data));
      process.stdout.write(`wrote ${file}: sign in as ${username}\n`);
    });
}
