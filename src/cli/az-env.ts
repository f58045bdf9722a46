// `eval "$(./holdfast az-env)"`: makes the az on this machine speak to the service, in that shell
// only. Everything az remembers goes below the data folder; the user's own az stays untouched.

import type { Command } from "commander";
import { join, resolve } from "node:path";
import { createHash } from "node:crypto";
import { getCACertificates } from "node:tls";
import { z } from "zod";
import { defineErrors } from "../lib/errors.ts";
import { disk } from "../lib/files.ts";
import { findProgram, run } from "../lib/processes.ts";
import { dataFolder } from "../server/data-folder.ts";
import { dataOption } from "./data-option.ts";
import { projectRoot } from "./project.ts";
import { connectService, type ServiceClient } from "./service-client.ts";

const errors = defineErrors({
  ProgramMissing: { status: 500, remedy: "Install it (Debian: apt-get install azure-cli)." },
  AzureCliFailed: { status: 500 },
});

const cloudName = "Holdfast";

export function addAzEnvCommand(program: Command): void {
  program
    .command("az-env")
    .description('print shell commands after which `az` speaks to the running service: eval "$(./holdfast az-env)"')
    .addOption(dataOption())
    .action(async ({ data }: { data: string }) => {
      const client = await connectService(data);
      if (findProgram("az") === undefined) throw errors.ProgramMissing("The Azure CLI (az) is not installed.");
      await writeAuthorities(client, data);
      const environment = azEnvironment(data);
      await signIn(client, data, environment);
      for (const [name, value] of Object.entries(environment))
        process.stdout.write(`export ${name}=${shellQuoted(value)}\n`);
    });
}

function azEnvironment(data: string): Record<string, string> {
  const kept = (process.env["PYTHONPATH"] ?? "").split(":").filter((path) => path !== "" && path !== repairFolder);
  return {
    AZURE_CONFIG_DIR: dataFolder(resolve(data)).az,
    // The cloud that az speaks to: it needs no `az cloud set`.
    AZURE_CLOUD_NAME: cloudName,
    REQUESTS_CA_BUNDLE: authoritiesFile(data),
    // What az reads with Python's own client, such as a --template-uri, looks here.
    SSL_CERT_FILE: authoritiesFile(data),
    AZURE_CORE_COLLECT_TELEMETRY: "0",
    AZURE_CORE_NO_COLOR: "1",
    PYTHONPATH: [repairFolder, ...kept].join(":"),
  };
}

function authoritiesFile(data: string): string {
  return join(dataFolder(resolve(data)).az, "authorities.pem");
}

/** Those of this machine and ours: the shell still reaches the rest of the world. */
async function writeAuthorities(client: ServiceClient, data: string): Promise<void> {
  const own = (await disk.read(client.service.ca)).toString("utf8");
  await disk.makeDirectory(dataFolder(resolve(data)).az);
  await disk.writeDurably(authoritiesFile(data), [own.trim(), ...getCACertificates("system")].join("\n") + "\n");
}

const repairFolder = join(projectRoot, "src/cli/az");

/** Registers the cloud and signs in, unless that was done for this very endpoint and credential. */
async function signIn(client: ServiceClient, data: string, environment: Record<string, string>): Promise<void> {
  const folder = dataFolder(resolve(data)).az;
  await disk.makeDirectory(folder);
  const { service, admin } = client;
  const wanted = createHash("sha256")
    .update(`${service.endpoint} ${admin.clientId} ${admin.clientSecret} ${service.subscriptionId}`)
    .digest("hex");
  const stamp = join(folder, "holdfast-signed-in");
  if ((await disk.status(stamp)) !== undefined && (await disk.read(stamp)).toString("utf8") === wanted) return;

  const az = async (...args: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await run("az", args, {
      env: environment,
      timeoutMilliseconds: 120_000,
      acceptedExitCodes: [0, 1, 2, 3],
    });
    if (exitCode !== 0)
      throw errors.AzureCliFailed(`az ${args.slice(0, 2).join(" ")} failed: ${stderr.trim().slice(-800)}`);
    return stdout;
  };
  const description = join(folder, "cloud.json");
  await disk.writeDurably(description, JSON.stringify(cloudDescription(service.endpoint)));
  // A cloud of that name from an earlier endpoint is brought up to date.
  const isKnown = (await disk.status(join(folder, "clouds.config"))) !== undefined;
  await az("cloud", isKnown ? "update" : "register", "--name", cloudName, "--cloud-config", `@${description}`);
  // A command line can be read by everybody on the machine.
  const secret = join(folder, "login-secret");
  await disk.writeDurably(secret, admin.clientSecret);
  const who = ["--service-principal", "--username", admin.clientId, "--tenant", service.tenantId];
  const subscriptions = await az("login", ...who, "--password", `@${secret}`, "--output", "json").finally(() =>
    disk.remove(secret),
  );
  if (!isDefault(subscriptions, service.subscriptionId))
    await az("account", "set", "--subscription", service.subscriptionId);
  await disk.writeDurably(stamp, wanted);
}

/** Each start of az takes a second: it is not told to take what it took by itself. */
function isDefault(subscriptions: string, id: string): boolean {
  const listed = z.array(z.object({ id: z.string(), isDefault: z.boolean() })).parse(JSON.parse(subscriptions));
  return listed.some((subscription) => subscription.id === id && subscription.isDefault);
}

/** An authority that ends in /adfs keeps az from asking Microsoft's servers about ours. */
function cloudDescription(endpoint: string): object {
  return {
    endpoints: {
      resourceManager: endpoint,
      management: endpoint,
      activeDirectory: `${endpoint}/adfs`,
      activeDirectoryResourceId: endpoint,
      activeDirectoryGraphResourceId: `${endpoint}/graph`,
      microsoftGraphResourceId: endpoint,
      logAnalyticsResourceId: endpoint,
      batchResourceId: endpoint,
    },
    suffixes: { storageEndpoint: `localhost${portOf(endpoint)}`, keyvaultDns: `.vault.localhost${portOf(endpoint)}` },
  };
}

function portOf(endpoint: string): string {
  const { port } = new URL(endpoint);
  return port === "" ? "" : `:${port}`;
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
