// `./holdfast store …`: the offline tool. A vault is listed, verified and restored with its objects
// and a key alone. This is the table of commands; what each does is loaded when it runs.

import type { Command } from "commander";

interface StoreCommand {
  readonly name: string;
  readonly about: string;
  /** Commander's notation; a `!` in front: must be given. */
  readonly options: readonly (readonly [flags: string, about: string])[];
  readonly examples: readonly string[];
  readonly load: () => Promise<(options: never) => Promise<void>>;
  /** Works without the vault's key. */
  readonly keyless?: boolean;
}

const keyOptions = [
  ["--key <file>", "key file of the vault (default: the one that `init` made, found by its id)"],
  ["--passphrase-file <file>", "open with the passphrase in this file instead"],
  ["--recovery-key-file <file>", "open with the printed recovery key in this file instead"],
] as const;

const storeOptions = [
  ["!--store <url>", "a folder, file:///folder, s3://bucket/prefix?… or azblob://account/container/prefix?…"],
  ["--trust-file-system", "use a folder on a file system that may lose what it confirmed"],
  ["--json", "print one JSON document instead of text"],
] as const;

const commands: readonly StoreCommand[] = [
  {
    name: "init",
    about: "make a vault in an empty place, and a key file if there is none",
    options: [["--key <file>", "use this key file; made when it is not there"]],
    examples: ["--store /vaults/a", "--store 's3://backups/a?region=eu-central-1' --key /root/a.key"],
    load: async () => (await import("./init.ts")).initVault,
    keyless: true,
  },
  {
    name: "info",
    about: "what a vault is, what opens it, how large it is",
    options: [],
    examples: ["--store /vaults/a", "--store /vaults/a --json"],
    load: async () => (await import("./info.ts")).showInfo,
    keyless: true,
  },
  {
    name: "points",
    about: "list recovery points",
    options: [["--item <name>", "only of this item"]],
    examples: ["--store /vaults/a", "--store /vaults/a --item web-1 --json"],
    load: async () => (await import("./points.ts")).showPoints,
  },
  {
    name: "add",
    about: "store disks as a new recovery point",
    options: [
      ["!--item <name>", "what the disks belong to, for example the machine's name"],
      ["!--disk <name=file...>", "a disk image; add ,format=raw|qcow2|vhd|vhdx|vmdk when it is not raw"],
      ["--parent <point>", "`latest` or a point's name: store only what changed since then"],
      ["--bitmap <file...>", "look only where this says; name=FILE when there are several disks"],
      ["--attach <name=file...>", "keep small files with the point, for example the machine's definition"],
      ["--lock-days <number>", "the point cannot be deleted for so many days"],
      ["--workers <number>", "threads (default: one per core, at most 8)"],
      ["--limit <MiB/s>", "send at most so much to the store"],
    ],
    examples: [
      "--store /vaults/a --item web-1 --disk os=/images/web-1.qcow2,format=qcow2",
      "--store /vaults/a --item web-1 --disk os=os.raw --disk data=data.raw --parent latest",
      "--store /vaults/a --item web-1 --disk os=os.raw --parent latest --bitmap changed.json",
    ],
    load: async () => (await import("./add.ts")).addPoint,
  },
  {
    name: "restore",
    about: "write a disk of a recovery point to a file",
    options: [
      ["!--point <name>", "the point's name as `points` lists it, or ITEM/latest"],
      ["--disk <name>", "which disk of the point"],
      ["--attachment <name>", "an attachment of the point instead of a disk"],
      ["!--to <file>", "the file to make"],
      ["--format <format>", "raw (default), qcow2 or vhd"],
      ["--overwrite", "replace the file when it is there"],
      ["--fallback <url>", "a second copy of the vault, read where the first is damaged"],
    ],
    examples: [
      "--store /vaults/a --point web-1/latest --disk os --to /images/web-1.raw",
      "--store /vaults/a --point web-1/latest --disk os --to web-1.qcow2 --format qcow2",
    ],
    load: async () => (await import("./restore.ts")).restoreDisk,
  },
  {
    name: "copy",
    about: "copy the vault to another place (a tier, a second site); what is there already is not sent again",
    options: [
      ["!--to <url>", "the other place"],
      ["--read-back", "read every pack back from there and compare"],
      ["--parallel <number>", "objects on their way at once (default: 3)"],
      ["--limit <MiB/s>", "send at most so much"],
      ["--dry-run", "only say what would be copied"],
    ],
    examples: ["--store /vaults/a --to 's3://archive/a?region=eu-central-1'", "--store /vaults/a --to /mnt/usb/a"],
    load: async () => (await import("./copy.ts")).copyVault,
    keyless: true,
  },
  {
    name: "mount",
    about: "serve the disks of a recovery point over NBD, read-only, until Ctrl-C",
    options: [
      ["!--point <name>", "the point's name, or ITEM/latest"],
      ["--disk <name>", "only this disk (default: all)"],
      ["--socket <path>", "listen on this unix socket (default: one in a new private folder)"],
      ["--listen <[host:]port>", "listen on TCP instead; 127.0.0.1 when no host is named; there is no password"],
      ["--fallback <url>", "a second copy of the vault, read where the first is damaged"],
    ],
    examples: [
      "--store /vaults/a --point web-1/latest",
      "--store /vaults/a --point web-1/latest --disk os --listen 10809",
    ],
    load: async () => (await import("./mount.ts")).mountPoint,
  },
  {
    name: "delete-point",
    about: "delete a recovery point; it can be brought back until a collection has purged it",
    options: [["!--point <name>", "the point's full name, as `points` lists it"]],
    examples: ["--store /vaults/a --point web-1/001795237122031-209514832004a4d5"],
    load: async () => (await import("./delete-point.ts")).removePoint,
  },
  {
    name: "undelete-point",
    about: "bring a deleted recovery point back",
    options: [["--point <name>", "the point's full name; without it the deleted points are listed"]],
    examples: ["--store /vaults/a", "--store /vaults/a --point web-1/001795237122031-209514832004a4d5"],
    load: async () => (await import("./delete-point.ts")).restorePoint,
  },
  {
    name: "collect",
    about: "free the space of deleted points: plan, condemn, and after the window delete",
    options: [
      ["--dry-run", "only say what would be done"],
      ["--window-days <number>", "how long deleted things can be brought back (default: 14)"],
      ["--allow-abnormal", "go on although more than half of the vault would go"],
    ],
    examples: ["--store /vaults/a --dry-run", "--store /vaults/a"],
    load: async () => (await import("./collect.ts")).collectVault,
  },
  {
    name: "diff",
    about: "where two recovery points differ; exit code 4 when they do",
    options: [
      ["!--from <point>", "the earlier point, or ITEM/latest"],
      ["!--to <point>", "the later point, or ITEM/latest"],
      ["--disk <name>", "only this disk (default: all)"],
    ],
    examples: ["--store /vaults/a --from web-1/001795237122031-209514832004a4d5 --to web-1/latest"],
    load: async () => (await import("./diff.ts")).diffPoints,
  },
  {
    name: "verify",
    about: "open every blob that the points need; exit code 4 when a point cannot be restored whole",
    options: [
      ["--point <name...>", "only these points (default: all)"],
      ["--no-quarantine", "write nothing about bad packs: for vaults on read-only media"],
    ],
    examples: ["--store /vaults/a", "--store /vaults/a --point web-1/latest --json"],
    load: async () => (await import("./verify.ts")).verifyVault,
  },
  {
    name: "scrub",
    about: "compare all packs with the hashes in their names; exit code 4 when one is damaged",
    options: [],
    examples: ["--store /vaults/a", "--store /vaults/a --json"],
    load: async () => (await import("./scrub.ts")).scrubVault,
    keyless: true,
  },
  {
    name: "repair",
    about: "scrub, and bring back what is bad or lost here from a copy of the vault",
    options: [
      ["!--from <url>", "the copy"],
      ["--quarantined-only", "do not scrub: only packs that verify has quarantined"],
    ],
    examples: ["--store /vaults/a --from /mnt/usb/a"],
    load: async () => (await import("./repair.ts")).repairVault,
  },
  {
    name: "rekey",
    about: "change who can open the vault, or begin a new key epoch; data is not rewritten",
    options: [
      ["--new-key [file]", "replace the key by this one; made when it is not there"],
      ["--new-passphrase-file <file>", "let the passphrase in this file open the vault, too"],
      ["--slot <name>", "which key to replace or add (default: main, or passphrase)"],
      ["--remove <slot>", "take a key away, as `info` names it"],
      ["--new-epoch", "write new data under a new data key"],
    ],
    examples: [
      "--store /vaults/a --new-key --new-epoch",
      "--store /vaults/a --new-passphrase-file phrase.txt",
      "--store /vaults/a --remove passphrase",
    ],
    load: async () => (await import("./rekey.ts")).rekeyVault,
  },
  {
    name: "export-key",
    about: "make a recovery key that can be printed, and show it once",
    options: [
      ["--to <file>", "write it to this file instead"],
      ["--replace", "make a new one; the old recovery key stops opening the vault"],
    ],
    examples: ["--store /vaults/a", "--store /vaults/a --to recovery.txt"],
    load: async () => (await import("./rekey.ts")).exportKey,
  },
];

export function addStoreCommand(program: Command): void {
  const store = program.command("store").description("vaults without a server: list, add, restore, verify, repair");
  for (const command of commands) {
    const { name, about, options, examples, load, keyless } = command;
    const sub = store.command(name).description(about);
    const all = [...storeOptions, ...options, ...(keyless === true ? [] : keyOptions)];
    for (const [flags, what] of all) {
      if (flags.startsWith("!")) sub.requiredOption(flags.slice(1), what);
      else sub.option(flags, what);
    }
    const shown = examples.map((example) => `  ./holdfast store ${name} ${example}`).join("\n");
    sub.addHelpText("after", `\nExamples:\n${shown}\n`);
    sub.action(async (given: unknown) => (await load())(given as never));
  }
}
