// `./holdfast token`: a bearer token of the administrator, for curl and scripts.

import type { Command } from "commander";
import { dataOption } from "./data-option.ts";
import { connectService } from "./service-client.ts";

export function addTokenCommand(program: Command): void {
  program
    .command("token")
    .description("print a bearer token of the administrator on standard output")
    .addOption(dataOption())
    .option("--scope <scope>", "what the token is for; by default the service itself")
    .action(async ({ data, scope }: { data: string; scope?: string }) => {
      const client = await connectService(data);
      process.stdout.write(`${await client.token(scope ?? `${client.service.endpoint}/.default`)}\n`);
    });
}
