// `./holdfast vault list|show|attach|recovery-key|verify`: the vaults of a running service.

import { resolve } from "node:path";
import type { Command } from "commander";
import { z } from "zod";
import { disk } from "../lib/files.ts";
import { defineErrors } from "../lib/errors.ts";
import { dataOption } from "./data-option.ts";
import { one, pathOf, print, vaultVersion as version, type OneVault } from "./one-vault.ts";
import { connectService } from "./service-client.ts";
import { placeCredential } from "./place-credential.ts";
import { addVaultVerifyCommand } from "./vault-verify.ts";

const errors = defineErrors({ UsageInvalid: { status: 400 } });

interface AttachOptions extends OneVault {
  readonly store: string;
  readonly key?: string;
  readonly recoveryKey?: string;
  readonly location: string;
}

const vaults = z.object({
  value: z.array(z.object({ id: z.string(), name: z.string(), location: z.string() })),
});

export function addVaultCommand(program: Command): void {
  const vault = program.command("vault").description("the vaults of a running service");
  vault
    .command("list")
    .description("all vaults")
    .addOption(dataOption())
    .option("--json", "as JSON")
    .action(async ({ data, json }: { data: string; json?: boolean }) => {
      const client = await connectService(data);
      const path = `/subscriptions/${client.service.subscriptionId}/providers/Microsoft.RecoveryServices/vaults?${version}`;
      const { value } = vaults.parse(await client.arm("GET", path));
      print(json, value, value.map(({ name, location, id }) => `${name}  ${location}  ${id}`).join("\n"));
    });
  one(vault.command("show").description("a vault with its items")).action(async (options: OneVault) => {
    const client = await connectService(options.data);
    const found = await client.arm("GET", `${pathOf(client, options)}?${version}`);
    const items = await client.arm("GET", `${pathOf(client, options)}/backupProtectedItems?${version}`);
    const shown = { vault: found, items: (items as { value: unknown }).value };
    print(true, shown, "");
  });
  one(vault.command("attach").description("take over a vault's store from a server that is lost"))
    .requiredOption("--store <place>", "the store's folder, or s3://… or azblob://…")
    .option("--key <file>", "the platform key of the lost server (keys/platform.key)")
    .option("--recovery-key <file>", "or a file with the vault's recovery key")
    .option("--location <name>", "where the new vault is", "local")
    .action(attach);
  one(
    vault.command("recovery-key").description("a new key that opens the vault without this server; shown once"),
  ).action(async (options: OneVault) => {
    const client = await connectService(options.data);
    const path = `${pathOf(client, options)}/providers/Microsoft.Holdfast/recoveryKey?${version}`;
    const { recoveryKey } = z.object({ recoveryKey: z.string() }).parse(await client.arm("POST", path));
    print(options.json, { recoveryKey }, `${recoveryKey}\nKeep it away from this machine. It is not shown again.`);
  });
  addVaultVerifyCommand(vault);
}

async function attach(options: AttachOptions): Promise<void> {
  if ((options.key === undefined) === (options.recoveryKey === undefined))
    throw errors.UsageInvalid("Say which key opens the store: --key FILE or --recovery-key FILE.");
  const client = await connectService(options.data);
  const path = pathOf(client, options);
  await client.arm("PUT", `${path.split("/").slice(0, 5).join("/")}?api-version=2021-04-01`, {
    location: options.location,
  });
  await client.armToEnd("PUT", `${path}?${version}`, {
    location: options.location,
    sku: { name: "Standard" },
    properties: {},
  });
  const file = await disk.read(resolve(options.key ?? options.recoveryKey ?? ""));
  const key =
    options.key === undefined ? { recoveryKey: file.toString("utf8").trim() } : { key: file.toString("base64") };
  const credential = placeCredential(options.store, process.env);
  const attached = z
    .object({
      items: z.number(),
      points: z.number(),
      policies: z.array(z.string()),
      settings: z.array(z.string()),
      problems: z.array(z.string()),
    })
    .parse(
      await client.arm("POST", `${path}/providers/Microsoft.Holdfast/attach?${version}`, {
        location: locationOf(options.store),
        ...(credential === undefined ? {} : { credential }),
        ...key,
      }),
    );
  const lines = [
    `${options.name} has ${attached.items} items with ${attached.points} recovery points again.`,
    ...(attached.policies.length > 0 ? [`Policies brought back: ${attached.policies.join(", ")}.`] : []),
    ...(attached.settings.length > 0 ? [`Settings brought back: ${attached.settings.join(", ")}.`] : []),
    ...attached.problems.map((problem) => `PROBLEM: ${problem}`),
    "Their protection is stopped: restore from them at once, and resume protection when the machines are back.",
  ];
  print(options.json, attached, lines.join("\n"));
}

function locationOf(place: string): object {
  if (place.startsWith("s3://")) return { kind: "s3", url: place };
  if (place.startsWith("azblob://")) return { kind: "azblob", url: place };
  return { kind: "folder", path: resolve(place) };
}
