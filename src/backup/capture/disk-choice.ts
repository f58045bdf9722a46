// Which disks of a machine a point holds. As in Azure, the choice is by LUN and among data disks: the
// system disk is always in.

import type { Machine, MachineDisk } from "../../hosts/host.ts";
import { captureErrors } from "./errors.ts";
import type { Remark } from "./remarks.ts";

export type DiskChoice =
  | { readonly kind: "all" }
  | { readonly kind: "include"; readonly luns: readonly number[] }
  | { readonly kind: "exclude"; readonly luns: readonly number[] };

export interface ExcludedDisk {
  readonly disk: MachineDisk;
  readonly reason: "Excluded" | "ReadOnly";
}

export interface ChosenDisks {
  readonly disks: readonly MachineDisk[];
  readonly excluded: readonly ExcludedDisk[];
  readonly remarks: readonly Remark[];
}

const systemLun = -1;

export function chooseDisks(machine: Machine, choice: DiskChoice): ChosenDisks {
  const disks: MachineDisk[] = [];
  const excluded: ExcludedDisk[] = [];
  for (const disk of machine.disks) {
    if (disk.isReadOnly) excluded.push({ disk, reason: "ReadOnly" });
    else if (isWanted(disk.lun, choice)) disks.push(disk);
    else excluded.push({ disk, reason: "Excluded" });
  }
  if (disks.length === 0) {
    const why = machine.disks.length === 0 ? "has no disks" : "has no disk left after the exclusions";
    throw captureErrors.NothingToCapture(`The machine ${machine.name} ${why}.`);
  }
  return { disks, excluded, remarks: [...excluded.map(remarkOn), ...missingLuns(machine, choice)] };
}

function isWanted(lun: number, choice: DiskChoice): boolean {
  if (choice.kind === "all" || lun === systemLun) return true;
  return choice.luns.includes(lun) === (choice.kind === "include");
}

function remarkOn({ disk, reason }: ExcludedDisk): Remark {
  const why = reason === "ReadOnly" ? "cannot be written to, so it is not in the point" : "was excluded";
  return {
    code: reason === "ReadOnly" ? "DiskIsReadOnly" : "DiskExcluded",
    severity: "note",
    disk: disk.id,
    message: `The disk "${disk.id}" (LUN ${disk.lun}) ${why}.`,
  };
}

function missingLuns(machine: Machine, choice: DiskChoice): Remark[] {
  if (choice.kind !== "include") return [];
  return choice.luns
    .filter((lun) => !machine.disks.some((disk) => disk.lun === lun))
    .map((lun) => ({
      code: "DiskNotAttached",
      severity: "warning",
      message: `LUN ${lun} is to be included, but the machine ${machine.name} has no disk there.`,
    }));
}
