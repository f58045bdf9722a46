// What the commands on one vault have in common: how it is named, where it is, how it is printed.

import type { Command } from "commander";
import { dataOption } from "./data-option.ts";
import type { ServiceClient } from "./service-client.ts";

export const vaultVersion = "api-version=2023-06-01";

export interface OneVault {
  readonly data: string;
  readonly name: string;
  readonly resourceGroup: string;
  readonly json?: boolean;
}

export function one(command: Command): Command {
  return command
    .addOption(dataOption())
    .requiredOption("-n, --name <name>", "the vault")
    .requiredOption("-g, --resource-group <group>", "its resource group")
    .option("--json", "as JSON");
}

export function pathOf(client: ServiceClient, { name, resourceGroup }: OneVault): string {
  return `/subscriptions/${client.service.subscriptionId}/resourceGroups/${encodeURIComponent(resourceGroup)}/providers/Microsoft.RecoveryServices/vaults/${encodeURIComponent(name)}`;
}

export function print(json: boolean | undefined, value: unknown, text: string): void {
  process.stdout.write(json === true ? `${JSON.stringify(value, null, 2)}\n` : `${text}\n`);
}
