// What the help of each command shows as an example, by the words that name the command. The commands of
// `store` bring their own.

import type { Command } from "commander";

export const examples: Readonly<Record<string, readonly string[]>> = {
  "": ["up", "up --demo", "host add images --name shelf --resource-group lab --path /images", "store --help"],
  "admin renew": ["--data /srv/holdfast"],
  "bench store": ["--full before.raw --then after.raw"],
  check: ["", "--fix"],
  "db migrate": ["--data /srv/holdfast"],
  "db restore": ["--data /srv/new-holdfast /backups/control.hfdb"],
  doctor: ["", "--json"],
  "files get": [
    "vda1/etc/hostname --to hostname --vault v1 --resource-group lab --item web-1",
    "vda1/etc --format zip --to etc.zip --vault v1 --resource-group lab --item web-1",
  ],
  "files ls": ["--vault v1 --resource-group lab --item web-1", "vda1/etc --vault v1 --resource-group lab --item web-1"],
  "files prepare": ["--data /srv/holdfast"],
  "host add images": ["--name shelf --resource-group lab --path /images"],
  "host add libvirt": ["--name kvm1 --resource-group lab --uri qemu:///system"],
  "host add qemu": ["--name rack1 --resource-group lab --socket-dir /run/machines"],
  "host list": ["", "--output json"],
  "host refresh": ["--name rack1 --resource-group lab"],
  "host remove": ["--name rack1 --resource-group lab"],
  "host show": ["--name rack1 --resource-group lab"],
  kql: ["--schema tables.json <query.kql", "--schema tables.json --json <query.kql"],
  query: [
    `--workspace central 'AddonAzureBackupJobs | where JobStatus == "Failed"'`,
    "--workspace central --output csv --timespan PT12H 'AzureActivity | summarize count() by Caller'",
  ],
  test: ["", "--only store wire", "--only backup --file year --long"],
  token: ["", "--scope https://vault.azure.net/.default"],
  up: ["", "--data /srv/holdfast --listen 0.0.0.0:8443", "--demo"],
  "vault attach": ["--name v1 --resource-group lab --store /mnt/copy --recovery-key recovery.txt"],
  "vault list": ["", "--json"],
  "vault recovery-key": ["--name v1 --resource-group lab"],
  "vault show": ["--name v1 --resource-group lab"],
  "vault verify": ["--name v1 --resource-group lab", "--name v1 --resource-group lab --deep --item web-1"],
};

/** For a command and all below it. */
export function addExamples(command: Command, words: readonly string[] = []): void {
  const own = examples[words.join(" ")];
  if (own !== undefined) {
    const lines = own.map((rest) => `  ${["./holdfast", ...words, rest].filter(Boolean).join(" ")}`);
    command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
  }
  for (const sub of command.commands) addExamples(sub, [...words, sub.name()]);
}
