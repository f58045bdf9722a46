// Names of what a restore makes. They follow from the job, so that an attempt that comes after a crash
// finds what the one before it made.

import { isoTime } from "../../lib/clock.ts";
import type { RestorableDisk } from "./choose-disks.ts";

export interface NamedBy {
  /** GUID of the job. */
  readonly id: string;
  readonly startedAt: number;
}

/**
 * `web-osdisk-20261121-081530-1f0c9a7e`, `web-datadisk-000-20261121-081530-1f0c9a7e`: as Azure names them, and
 * the beginning of the job's id, because two restores may begin in one second.
 */
export function restoredDiskName(machine: string, { lun }: Pick<RestorableDisk, "lun">, job: NamedBy): string {
  const [date = "", time = ""] = isoTime(job.startedAt).split("T");
  const stamp = `${date.replaceAll("-", "")}-${time.slice(0, 8).replaceAll(":", "")}`;
  const which = lun === -1 ? "osdisk" : `datadisk-${String(lun).padStart(3, "0")}`;
  return `${machine.slice(0, 40)}-${which}-${stamp}-${job.id.slice(0, 8)}`;
}

/** The container in the staging account: 3 to 63 lower-case letters, digits and single `-`. */
export function stagingContainer(machine: string, job: NamedBy): string {
  const plain = machine
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
    .slice(0, 30)
    .replace(/-$/, "");
  return `${plain === "" ? "vm" : plain}-${job.id.replaceAll("-", "")}`;
}

export function configBlob(machine: string, job: NamedBy): string {
  return `config-${machine}-${job.id}.json`;
}

export function templateBlob(job: NamedBy): string {
  return `azuredeploy${job.id}.json`;
}

/** `NAME.vhd` beside the other files of one restore. */
export function vhdBlob(machine: string, disk: Pick<RestorableDisk, "lun">, job: NamedBy): string {
  return `${restoredDiskName(machine, disk, job)}.vhd`;
}
