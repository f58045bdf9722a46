// `./holdfast files ls|get|prepare`: files of recovery points of a running service.

import { join, resolve } from "node:path";
import { Option, type Command } from "commander";
import { z } from "zod";
import { prepareHelper } from "../backup/file-recovery/helper.ts";
import { dataOption } from "./data-option.ts";
import { connectService, type ServiceClient } from "./service-client.ts";
import { defineErrors } from "../lib/errors.ts";

const errors = defineErrors({
  RecoveryPointNotFound: { status: 404, remedy: "See az backup recoverypoint list." },
});
const version = "api-version=2023-06-01";

interface PointOptions {
  readonly data: string;
  readonly vault: string;
  readonly resourceGroup: string;
  readonly item: string;
  /** The newest when absent. */
  readonly point?: string;
  readonly unlock?: readonly string[];
  readonly json?: boolean;
}

const list = z.object({
  value: z.array(
    z.object({
      path: z.string(),
      kind: z.string(),
      sizeBytes: z.number(),
      modifiedAt: z.string(),
      mode: z.string(),
      linkTarget: z.string().optional(),
    }),
  ),
});
const volumes = z.object({
  value: z.array(
    z.object({
      name: z.string(),
      disk: z.string().optional(),
      sizeBytes: z.number(),
      fileSystem: z.string().optional(),
      state: z.string(),
      label: z.string().optional(),
    }),
  ),
});

export function addFilesCommand(program: Command): void {
  const files = program.command("files").description("files out of recovery points, without restoring disks");
  ofPoint(files.command("ls [path]").description("volumes of a recovery point, or what is in a folder: VOLUME/FOLDER"))
    .option("--json", "as JSON")
    .action((path: string | undefined, options: PointOptions) => listFiles(path, options));
  ofPoint(files.command("get <path>").description("download a file, or a folder as an archive"))
    .addOption(new Option("--format <name>", "how").choices(["file", "zip", "tar"]).default("file"))
    .requiredOption("--to <file>", "the file to write")
    .action(getFiles);
  files
    .command("prepare")
    .description("build the helper guest now, so that the first look does not wait for it")
    .addOption(dataOption())
    .action(async ({ data }: { data: string }) => {
      const { image } = await prepareHelper(join(resolve(data), "helper"));
      process.stdout.write(`The helper guest is ready: ${image.initrd}\n`);
    });
}

async function listFiles(path: string | undefined, options: PointOptions): Promise<void> {
  const client = await connectService(options.data);
  const base = await pointPath(client, options);
  await unlock(client, base, options);
  if (path === undefined) {
    const { value } = volumes.parse(await client.arm("GET", `${base}/volumes?${version}`));
    const lines = value
      .filter(({ state }) => state !== "empty")
      .map((each) => [each.name, each.state, each.fileSystem ?? "-", each.disk ?? "-", each.sizeBytes].join("  "));
    print(options.json, value, lines);
    return;
  }
  const found = await client.arm("GET", `${base}/files?path=${encodeURIComponent(path)}&${version}`);
  const { value } = list.parse(found);
  const lines = value.map((each) => {
    const link = each.linkTarget === undefined ? "" : ` -> ${shown(each.linkTarget)}`;
    const size = String(each.sizeBytes).padStart(14);
    return `${each.kind.padEnd(6)} ${each.mode} ${size}  ${each.modifiedAt}  ${shown(each.path)}${link}`;
  });
  print(options.json, value, lines);
}

async function getFiles(path: string, options: PointOptions & { format: string; to: string }): Promise<void> {
  const client = await connectService(options.data);
  const base = await pointPath(client, options);
  await unlock(client, base, options);
  const offered = await client.arm("POST", `${base}/downloads?${version}`, { path, format: options.format });
  const { url } = z.object({ url: z.string() }).parse(offered);
  await client.download(url, resolve(options.to));
  process.stdout.write(`${resolve(options.to)}\n`);
}

/** `VOLUME=KEY` or `VOLUME`: a key in a command line can be read by everybody on the machine. */
async function unlock(client: ServiceClient, base: string, { unlock: keys = [] }: PointOptions): Promise<void> {
  for (const each of keys) {
    const at = each.indexOf("=");
    const volume = at < 0 ? each : each.slice(0, at);
    const key = at < 0 ? (process.env["HOLDFAST_VOLUME_KEY"] ?? "") : each.slice(at + 1);
    await client.arm("POST", `${base}/volumes/${encodeURIComponent(volume)}/unlock?${version}`, { key });
  }
}

async function pointPath(client: ServiceClient, options: PointOptions): Promise<string> {
  const group = encodeURIComponent(options.resourceGroup);
  const vault = `/subscriptions/${client.service.subscriptionId}/resourceGroups/${group}/providers/Microsoft.RecoveryServices/vaults/${encodeURIComponent(options.vault)}`;
  const items = z
    .object({ value: z.array(z.object({ id: z.string(), properties: z.object({ friendlyName: z.string() }) })) })
    .parse(await client.arm("GET", `${vault}/backupProtectedItems?${version}`));
  const item = items.value.find(
    ({ properties }) => properties.friendlyName.toLowerCase() === options.item.toLowerCase(),
  );
  if (item === undefined) throw errors.RecoveryPointNotFound(`The vault ${options.vault} has no item ${options.item}.`);
  const path = item.id.split("/").map(encodeURIComponent).join("/");
  const points = z
    .object({ value: z.array(z.object({ name: z.string() })) })
    .parse(await client.arm("GET", `${path}/recoveryPoints?${version}`));
  const name = options.point ?? points.value[0]?.name;
  if (name === undefined) throw errors.RecoveryPointNotFound(`${options.item} has no recovery point.`);
  return `${path}/recoveryPoints/${encodeURIComponent(name)}/providers/Microsoft.Holdfast`;
}

function ofPoint(command: Command): Command {
  return command
    .addOption(dataOption())
    .requiredOption("--vault <name>", "the vault")
    .requiredOption("-g, --resource-group <group>", "its resource group")
    .requiredOption("--item <name>", "the machine")
    .option("--point <name>", "the recovery point; the newest when absent")
    .option(
      "--unlock <volume[=key]...>",
      "open an encrypted volume; without =key the key is read from HOLDFAST_VOLUME_KEY",
    );
}

/** Names of a hostile file system must not steer a terminal. */
function shown(text: string): string {
  return text.replaceAll(
    /\p{Cc}/gu,
    (character) => `\\x${character.codePointAt(0)?.toString(16).padStart(2, "0") ?? ""}`,
  );
}

function print(json: boolean | undefined, value: unknown, lines: readonly string[]): void {
  process.stdout.write(json === true ? `${JSON.stringify(value, null, 2)}\n` : `${lines.join("\n")}\n`);
}
