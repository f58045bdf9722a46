// `./holdfast host add|list|show|refresh|remove`: where the service finds machines.

import { Option, type Command } from "commander";
import { resolve } from "node:path";
import { z } from "zod";
import { defineErrors, isErrorCode } from "../lib/errors.ts";
import { dataOption } from "./data-option.ts";
import { hostSchema, hostsTable, hostText, type WireHost } from "./host-text.ts";
import { connectService, type ServiceClient } from "./service-client.ts";

const errors = defineErrors({ UsageInvalid: { status: 400 } });

const groupVersion = "api-version=2021-04-01";
const hostVersion = "api-version=2026-01-01";

interface Common {
  readonly data: string;
  readonly output: "table" | "json";
}

interface OneHost extends Common {
  readonly name: string;
  readonly resourceGroup: string;
}

interface NewHost extends OneHost {
  readonly location?: string;
  readonly tags?: readonly string[];
  readonly scratchDir?: string;
}

export function addHostCommand(program: Command): void {
  const host = program.command("host").description("tell the service where machines are");
  const add = host.command("add").description("add a host; its machines appear as virtual machines");

  newHost(add, "images", "each sub-folder with disk images, and each single image, is a machine that does not run")
    .requiredOption("--path <dir>", "the folder")
    .action((options: NewHost & { path: string }) => addHost(options, { kind: "images", path: resolve(options.path) }));

  newHost(add, "qemu", "each NAME.qmp socket of a folder is a running machine; NAME.qga beside it is its agent")
    .requiredOption("--socket-dir <dir>", "the folder")
    .addOption(
      new Option("--accelerator <name>", "for machines that Holdfast starts itself").choices(["kvm:tcg", "kvm", "tcg"]),
    )
    .action((options: NewHost & { socketDir: string; accelerator?: string }) =>
      addHost(options, {
        kind: "qemu",
        socketDirectory: resolve(options.socketDir),
        ...(options.accelerator === undefined ? {} : { accelerator: options.accelerator }),
      }),
    );

  newHost(add, "libvirt", "each domain of a libvirt is a machine")
    .requiredOption("--uri <uri>", "such as qemu:///system")
    .action((options: NewHost & { uri: string }) => addHost(options, { kind: "libvirt", uri: options.uri }));

  common(host.command("list").description("all hosts")).action(async (options: Common) => {
    const client = await connectService(options.data);
    const hosts = await listHosts(client);
    print(options, hosts, () => hostsTable(hosts));
  });

  const onOne = (name: string, about: string, act: (client: ServiceClient, path: string) => Promise<unknown>): void => {
    oneHost(host.command(name).description(about)).action(async (options: OneHost) => {
      const client = await connectService(options.data);
      const found = hostSchema.parse(await act(client, pathOf(client, options)));
      print(options, found, () => hostText(found));
    });
  };
  onOne("show", "a host and its machines", (client, path) =>
    client.arm("GET", `${path}?${hostVersion}&$expand=machines`),
  );
  onOne("refresh", "look at the host now", (client, path) => client.arm("POST", `${path}/refresh?${hostVersion}`));

  oneHost(host.command("remove").description("forget the host and its machines; nothing on it is touched")).action(
    async (options: OneHost) => {
      const client = await connectService(options.data);
      const path = pathOf(client, options);
      await client.arm("GET", `${path}?${hostVersion}`); // says so when there is none
      await client.arm("DELETE", `${path}?${hostVersion}`);
      print(options, { removed: path }, () => `removed ${options.name}\n`);
    },
  );
}

function common(command: Command): Command {
  return command
    .addOption(dataOption())
    .addOption(new Option("-o, --output <format>", "how it is printed").choices(["table", "json"]).default("table"));
}

function oneHost(command: Command): Command {
  return common(command)
    .requiredOption("-n, --name <name>", "the host's name")
    .requiredOption("-g, --resource-group <group>", "the group that it and its machines are in");
}

function newHost(add: Command, kind: string, about: string): Command {
  return oneHost(add.command(kind).description(about))
    .option("-l, --location <location>", "label of the place; the site's own when absent")
    .option("--tags <tags...>", "NAME=VALUE")
    .option("--scratch-dir <dir>", "where snapshots keep what machines overwrite; .holdfast in the folder when absent");
}

async function addHost(options: NewHost, settings: Readonly<Record<string, string>>): Promise<void> {
  const client = await connectService(options.data);
  const location = await ensureGroup(client, options);
  const scratch = options.scratchDir === undefined ? {} : { scratchDirectory: resolve(options.scratchDir) };
  const path = pathOf(client, options);
  const body = { location, tags: tagsOf(options.tags ?? []), properties: { ...settings, ...scratch } };
  const added = hostSchema.parse(await client.arm("PUT", `${path}?${hostVersion}&$expand=machines`, body));
  print(options, added, () => hostText(added));
}

/** Returns the location for what goes into the group. */
async function ensureGroup(client: ServiceClient, options: NewHost): Promise<string> {
  const subscription = `/subscriptions/${client.service.subscriptionId}`;
  const path = `${subscription}/resourceGroups/${encodeURIComponent(options.resourceGroup)}?${groupVersion}`;
  const groupSchema = z.object({ location: z.string() });
  try {
    const { location } = groupSchema.parse(await client.arm("GET", path));
    return options.location ?? location;
  } catch (error) {
    if (!isErrorCode(error, "ResourceGroupNotFound")) throw error;
  }
  const locations = z
    .object({ value: z.array(z.object({ name: z.string() })).min(1) })
    .parse(await client.arm("GET", `${subscription}/locations?api-version=2022-12-01`));
  const location = options.location ?? locations.value[0]?.name ?? "local";
  await client.arm("PUT", path, { location });
  return location;
}

async function listHosts(client: ServiceClient): Promise<WireHost[]> {
  const found: WireHost[] = [];
  const pageSchema = z.object({ value: z.array(hostSchema), nextLink: z.string().optional() });
  let path: string | undefined =
    `/subscriptions/${client.service.subscriptionId}/providers/Microsoft.Holdfast/hosts?${hostVersion}`;
  while (path !== undefined) {
    const page: z.output<typeof pageSchema> = pageSchema.parse(await client.arm("GET", path));
    found.push(...page.value);
    const next = page.nextLink === undefined ? undefined : new URL(page.nextLink);
    path = next === undefined ? undefined : `${next.pathname}${next.search}`;
  }
  return found;
}

function pathOf(client: ServiceClient, { resourceGroup, name }: OneHost): string {
  const group = `/subscriptions/${client.service.subscriptionId}/resourceGroups/${encodeURIComponent(resourceGroup)}`;
  return `${group}/providers/Microsoft.Holdfast/hosts/${encodeURIComponent(name)}`;
}

function tagsOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw errors.UsageInvalid(`--tags takes NAME=VALUE, not '${pair}'.`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function print(options: Common, json: unknown, text: () => string): void {
  process.stdout.write(options.output === "json" ? `${JSON.stringify(json, null, 2)}\n` : text());
}
