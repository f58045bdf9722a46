// `./holdfast doctor`: what this machine has, what is missing, and what each missing thing costs.

import type { Command } from "commander";
import { availableParallelism, totalmem } from "node:os";
import { disk, findFiles } from "../lib/files.ts";
import { findProgram } from "../lib/processes.ts";
import { kvmRunsGuests } from "../hosts/qemu/accelerator.ts";
import { dataOption } from "./data-option.ts";

interface Part {
  readonly name: string;
  readonly program?: string;
  /** Where it stands when it is no program on PATH. */
  readonly shows?: string;
  readonly debianPackage: string;
  readonly without: string;
}

const parts: readonly Part[] = [
  {
    name: "qemu-img, qemu-nbd",
    program: "qemu-img",
    debianPackage: "qemu-utils",
    without: "images other than raw cannot be read or written",
  },
  {
    name: "qemu-storage-daemon",
    program: "qemu-storage-daemon",
    debianPackage: "qemu-system-common",
    without: "folders of disk images cannot be backed up",
  },
  {
    name: "QEMU",
    program: "qemu-system-x86_64",
    debianPackage: "qemu-system-x86",
    without: "no machine can be started here; the demo uses generated disk images",
  },
  {
    name: "libvirt",
    program: "virsh",
    debianPackage: "libvirt-clients",
    without: "libvirt hosts cannot be driven from here",
  },
  { name: "Azure CLI", program: "az", debianPackage: "azure-cli", without: "./holdfast az-env has nothing to set up" },
  {
    name: "PostgreSQL",
    shows: "usr/lib/postgresql/*/bin/postgres",
    debianPackage: "postgresql",
    without: "tests of --database-url are skipped; SQLite is used",
  },
  { name: "Chromium", program: "chromium", debianPackage: "chromium", without: "browser tests are skipped" },
];

export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("what is installed, what is missing, and what that costs")
    .addOption(dataOption())
    .option("--json", "as JSON")
    .action(async ({ data, json }: { data: string; json?: boolean }) => {
      const found = await Promise.all(parts.map(async (part) => ({ ...part, installed: await isInstalled(part) })));
      const freeBytes = await freeBytesAt(data);
      const machine = {
        node: process.version,
        cores: availableParallelism(),
        memoryBytes: totalmem(),
        kvm: (await isInstalled({ program: "qemu-system-x86_64" })) && (await kvmRunsGuests()),
        freeBytes,
      };
      if (json === true) {
        const shown = found.map(({ name, installed, debianPackage, without }) => ({
          name,
          installed,
          debianPackage,
          without,
        }));
        process.stdout.write(`${JSON.stringify({ machine, parts: shown })}\n`);
        return;
      }
      process.stdout.write(
        `Node ${machine.node}, ${machine.cores} cores, ${gib(machine.memoryBytes)} memory, ${gib(freeBytes)} free for ${data}\n`,
      );
      process.stdout.write(
        machine.kvm
          ? "KVM runs guests: they run at full speed\n"
          : "KVM is missing or runs no guest: guests run in software emulation, several times slower\n",
      );
      for (const part of found) {
        process.stdout.write(
          part.installed
            ? `ok       ${part.name}\n`
            : `missing  ${part.name}: ${part.without} (Debian: apt-get install ${part.debianPackage})\n`,
        );
      }
    });
}

async function isInstalled(part: Pick<Part, "program" | "shows">): Promise<boolean> {
  if (part.program !== undefined) return findProgram(part.program) !== undefined;
  return part.shows !== undefined && (await findFiles([part.shows], "/")).length > 0;
}

async function freeBytesAt(data: string): Promise<number> {
  return disk.freeBytes((await disk.status(data)) === undefined ? "." : data);
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
